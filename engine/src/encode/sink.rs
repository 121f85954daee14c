//! The end of a query's stream: batches into tuple frames, frames to the backend.
//!
//! Invariants: rows leave in the order of the stream; a frame leaves when it is full, before a wide row, when no further batch
//! is at hand (so that first rows do not wait for later ones), and at the end.

use super::RowEncoder;
use crate::error::Result;
use crate::fault::{self, Faults};
use crate::session::query::{QueryHandle, TupleFrameGuard};
use datafusion::execution::SendableRecordBatchStream;
use fusion_proto::tuple_frame::{HEADER_SIZE, write_header};
use futures::StreamExt;
use std::task::Poll;

/// A frame that is being filled.
struct Filling {
    frame: TupleFrameGuard,
    rows: u32,
    end: usize,
}

fn flush(filling: &mut Option<Filling>, handle: &QueryHandle) {
    if let Some(mut filling) = filling.take()
        && filling.rows > 0
    {
        write_header(filling.frame.bytes_mut(), filling.rows, filling.end);
        handle.counters().add_returned(u64::from(filling.rows));
        filling.frame.send();
    }
}

/// Sends all rows of `stream` to the backend.
pub async fn send_rows(
    mut stream: SendableRecordBatchStream,
    mut encoder: RowEncoder,
    handle: &QueryHandle,
    faults: &Faults,
) -> Result<()> {
    let mut filling: Option<Filling> = None;
    loop {
        let next = match futures::poll!(stream.next()) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                flush(&mut filling, handle);
                stream.next().await
            }
        };
        let Some(batch) = next else { break };
        encoder.start(&batch?)?;
        while !encoder.is_done() {
            if let Some(tuple) = encoder.wide_row() {
                flush(&mut filling, handle);
                handle.send_wide_row(tuple).await?;
                handle.counters().add_returned(1);
                continue;
            }
            if handle.counters().returned() >= fault::FIRST_ROWS {
                faults.at(fault::ROWS).await?;
            }
            let open = match &mut filling {
                Some(open) => open,
                None => filling.insert(Filling { frame: handle.tuple_frame().await, rows: 0, end: HEADER_SIZE }),
            };
            let rows = encoder.fill(open.frame.bytes_mut(), &mut open.end);
            open.rows += rows;
            if !encoder.is_done() {
                flush(&mut filling, handle);
            }
        }
    }
    flush(&mut filling, handle);
    Ok(())
}
