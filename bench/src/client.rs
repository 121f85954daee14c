//! A PostgreSQL client of the few messages this program needs: start-up over a Unix socket with trust authentication, the
//! simple query protocol, and COPY FROM STDIN.
//!
//! Answers are kept as the bytes that came over the wire, so that comparing two of them compares what a client would see:
//! column names, type identities, type modifiers, and every value in text form, NULL apart from the empty string.
//!
//! Invariants: after `query` or `copy_in` has returned, with or without a server error, the server waits for the next
//! command; a message longer than `MESSAGE_LIMIT` ends the connection.

use std::{
    env,
    io::{BufReader, BufWriter, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use crate::error::{Error, Result};

/// Bytes of one message; PostgreSQL's own limit for a value is 1 GB.
const MESSAGE_LIMIT: usize = 1 << 30;
/// Warnings that are kept; more would say the same.
const WARNING_LIMIT: usize = 100;
/// Bytes of one CopyData message.
const COPY_CHUNK: usize = 1 << 16;
const PROTOCOL_VERSION: i32 = 196_608;

pub struct Client {
    reader: BufReader<UnixStream>,
    writer: BufWriter<UnixStream>,
    /// The last warnings that the server has sent.
    warnings: Vec<String>,
}

/// What one statement returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub type_oid: u32,
    pub typmod: i32,
}

/// The values of one row in text form; None is NULL.
pub type Row = Vec<Option<Vec<u8>>>;

impl Answer {
    #[cfg(test)]
    pub fn new(columns: Vec<Column>, rows: Vec<Row>) -> Self {
        Answer { columns, rows }
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Bytes of the rows, about as many as PostgreSQL's tuples have.
    pub fn bytes(&self) -> usize {
        /// Header and padding of a tuple, and of a value.
        const OVERHEAD: (usize, usize) = (24, 4);
        let value = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |bytes| bytes.len() + OVERHEAD.1);
        self.rows.iter().map(|row| OVERHEAD.0 + row.iter().map(value).sum::<usize>()).sum()
    }

    /// Adds the rows of the answer's next part, as a cursor gives it.
    pub fn append(&mut self, part: Answer) {
        self.rows.extend(part.rows);
    }

    /// The first column of every row, for EXPLAIN and SHOW.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(|row| match row.first() {
            Some(Some(value)) => String::from_utf8_lossy(value).into_owned(),
            _ => String::new(),
        })
    }
}

impl Client {
    /// Connects to where PGHOST, PGPORT, PGUSER and PGDATABASE point.
    pub fn connect() -> Result<Client> {
        let host = env::var("PGHOST").unwrap_or_default();
        if !host.starts_with('/') {
            return Err(Error::Connection(String::from("PGHOST must be the directory of a Unix socket")));
        }
        let port = env::var("PGPORT").unwrap_or_else(|_| String::from("5432"));
        let user = env::var("PGUSER").unwrap_or_else(|_| String::from("postgres"));
        let database = env::var("PGDATABASE").unwrap_or_else(|_| user.clone());
        let path = format!("{host}/.s.PGSQL.{port}");
        let socket = UnixStream::connect(&path)
            .map_err(|error| Error::Connection(format!("cannot connect to {path}: {error}")))?;
        let mut client = Client {
            reader: BufReader::new(socket.try_clone()?),
            writer: BufWriter::new(socket),
            warnings: Vec::new(),
        };
        client.start(&user, &database)?;
        Ok(client)
    }

    fn start(&mut self, user: &str, database: &str) -> Result<()> {
        let mut body = PROTOCOL_VERSION.to_be_bytes().to_vec();
        for text in ["user", user, "database", database, "application_name", "fusion_bench"] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        let length = i32::try_from(body.len() + 4).map_err(|_| broken("start-up message too long"))?;
        self.writer.write_all(&length.to_be_bytes())?;
        self.writer.write_all(&body)?;
        self.writer.flush()?;
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                b'R' if body.starts_with(&[0, 0, 0, 0]) => {}
                b'R' => {
                    return Err(Error::Connection(String::from("the server asks for a password; only trust is known")));
                }
                b'E' => return Err(server_error(&body)),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    /// Runs one or more statements; the answer is that of the last one that returned rows.
    pub fn query(&mut self, sql: &str) -> Result<Answer> {
        self.send(b'Q', &[sql.as_bytes(), &[0]])?;
        self.writer.flush()?;
        let mut answer = Answer::default();
        let mut failure = None;
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                b'T' => answer = Answer { columns: Fields(&body).columns()?, rows: Vec::new() },
                b'D' => answer.rows.push(Fields(&body).row()?),
                b'E' => failure = Some(server_error(&body)),
                b'N' => self.note(&body),
                b'Z' => break,
                _ => {}
            }
        }
        failure.map_or(Ok(answer), Err)
    }

    /// Sends a statement and goes without waiting for its answer, or for anything: as a client that dies.
    pub fn abandon(mut self, sql: &str) -> Result<()> {
        self.send(b'Q', &[sql.as_bytes(), &[0]])?;
        self.writer.flush()?;
        self.writer.get_ref().shutdown(Shutdown::Both)?;
        Ok(())
    }

    /// The warnings since they were last taken.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Keeps a warning; a notice of less weight is passed over.
    fn note(&mut self, body: &[u8]) {
        if let Error::Server { sqlstate, message, .. } = server_error(body)
            && sqlstate.starts_with("01")
            && self.warnings.len() < WARNING_LIMIT
        {
            self.warnings.push(message);
        }
    }

    /// Runs a `COPY ... FROM STDIN`; `next` appends some more text to the buffer, and returns false when there is no more.
    pub fn copy_in(&mut self, sql: &str, mut next: impl FnMut(&mut Vec<u8>) -> bool) -> Result<()> {
        self.send(b'Q', &[sql.as_bytes(), &[0]])?;
        self.writer.flush()?;
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                b'G' => break,
                b'E' => {
                    let failure = server_error(&body);
                    self.until_ready()?;
                    return Err(failure);
                }
                b'Z' => return Err(broken("COPY did not ask for data")),
                _ => {}
            }
        }
        let mut chunk = Vec::with_capacity(2 * COPY_CHUNK);
        let mut more = true;
        while more {
            chunk.clear();
            while more && chunk.len() < COPY_CHUNK {
                more = next(&mut chunk);
            }
            // After an error the server reads on and throws the data away, so this never blocks for good.
            self.send(b'd', &[&chunk])?;
        }
        self.send(b'c', &[])?;
        self.writer.flush()?;
        self.until_ready()
    }

    fn until_ready(&mut self) -> Result<()> {
        let mut failure = None;
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                b'E' => failure = Some(server_error(&body)),
                b'Z' => return failure.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }

    fn send(&mut self, kind: u8, parts: &[&[u8]]) -> Result<()> {
        let length: usize = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
        let length = i32::try_from(length).map_err(|_| broken("message too long"))?;
        self.writer.write_all(&[kind])?;
        self.writer.write_all(&length.to_be_bytes())?;
        for part in parts {
            self.writer.write_all(part)?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0u8; 5];
        self.reader.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(i32::from_be_bytes(length))
            .ok()
            .and_then(|length| length.checked_sub(4))
            .filter(|length| *length <= MESSAGE_LIMIT)
            .ok_or_else(|| broken("message length"))?;
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((kind, body))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Terminate; if the server has gone already there is nobody to tell.
        let _ = self.send(b'X', &[]).and_then(|()| Ok(self.writer.flush()?));
    }
}

/// The fields of a message that are still to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(|| broken("message too short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn i16(&mut self) -> Result<i16> {
        let bytes = self.bytes(2)?.try_into().map_err(|_| broken("integer"))?;
        Ok(i16::from_be_bytes(bytes))
    }

    fn i32(&mut self) -> Result<i32> {
        let bytes = self.bytes(4)?.try_into().map_err(|_| broken("integer"))?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn string(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| broken("string without an end"))?;
        let text = String::from_utf8_lossy(self.bytes(end)?).into_owned();
        self.bytes(1)?;
        Ok(text)
    }

    /// RowDescription.
    fn columns(mut self) -> Result<Vec<Column>> {
        let count = self.i16()?;
        (0..count)
            .map(|_| {
                let name = self.string()?;
                self.bytes(6)?; // table and attribute number: not the same for a heap table and a fusion table
                let type_oid = self.i32()?.cast_unsigned();
                self.bytes(2)?; // type length, known from the type
                let typmod = self.i32()?;
                self.bytes(2)?; // format: text, always
                Ok(Column { name, type_oid, typmod })
            })
            .collect()
    }

    /// DataRow.
    fn row(mut self) -> Result<Row> {
        let count = self.i16()?;
        (0..count)
            .map(|_| match self.i32()? {
                -1 => Ok(None),
                length => {
                    let length = usize::try_from(length).map_err(|_| broken("value length"))?;
                    Ok(Some(self.bytes(length)?.to_vec()))
                }
            })
            .collect()
    }
}

fn broken(what: &str) -> Error {
    Error::Connection(format!("the server's answer is not the PostgreSQL protocol: {what}"))
}

/// ErrorResponse: a letter and a string per field.
fn server_error(body: &[u8]) -> Error {
    let mut fields = Fields(body);
    let (mut sqlstate, mut message, mut detail, mut hint) = Default::default();
    while let Ok([letter]) = fields.bytes(1) {
        let Ok(text) = fields.string() else { break };
        match letter {
            b'C' => sqlstate = text,
            b'M' => message = text,
            b'D' => detail = text,
            b'H' => hint = text,
            _ => {}
        }
    }
    Error::Server { sqlstate, message, detail, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_null_apart_from_empty() {
        let body = [0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(Fields(&body).row().expect("row"), vec![None, Some(Vec::new())]);
    }

    #[test]
    fn a_cut_row_is_an_error() {
        assert!(Fields(&[0, 1, 0, 0, 0, 9, b'x']).row().is_err());
        assert!(Fields(&[0]).row().is_err());
    }

    #[test]
    fn an_error_response_is_read() {
        let Error::Server { sqlstate, message, .. } = server_error(b"SERROR\0C22012\0Mdivision by zero\0\0") else {
            panic!("a server error");
        };
        assert_eq!((sqlstate.as_str(), message.as_str()), ("22012", "division by zero"));
    }

    #[test]
    fn columns_keep_name_type_and_typmod() {
        let body = b"\0\x01ab\0\0\0\0\x01\0\x02\0\0\x06\xa4\xff\xff\0\x0f\0\x06\0\0";
        let columns = Fields(body).columns().expect("columns");
        assert_eq!(columns, vec![Column { name: String::from("ab"), type_oid: 1700, typmod: 983_046 }]);
    }
}
