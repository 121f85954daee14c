//! The program: its command line, and that it never outlives its supervisor.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Box<dyn Iterator<Item = String>>,
    folder: PathBuf,
}

impl Process {
    fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pgf-process-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pg_fusion_engine"))
            .args(["--socket", "pg_fusion/engine.sock", "--restarts", "2", "--threads", "2", "--memory-limit-mb", "64"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().unwrap();
        assert!(first.starts_with("LOG: engine ") && first.contains("2 threads, 64 MB"), "{first}");
        Self { child, stdin, lines: Box::new(lines), folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("pg_fusion/engine.sock")
    }

    fn ends(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the engine goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn the_end_of_stdin_ends_it() {
    let mut engine = Process::start("stdin");
    UnixStream::connect(engine.socket()).unwrap();
    drop(engine.stdin.take());
    assert!(engine.ends().success());
    assert!(engine.lines.any(|line| line == "LOG: engine stopped: the supervisor is gone"));
}

#[test]
fn a_signal_stops_it_cleanly() {
    let mut engine = Process::start("signal");
    let socket = engine.socket();
    // A stale socket of an engine that was killed is replaced, by an engine started later.
    engine.child.kill().unwrap();
    engine.child.wait().unwrap();
    assert!(socket.exists());
    let mut engine = Process::start("signal");
    UnixStream::connect(engine.socket()).unwrap();
    let pid = rustix::process::Pid::from_child(&engine.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(engine.ends().success());
    assert!(!engine.socket().exists(), "the socket is removed");
}

#[test]
fn a_wrong_command_line_is_refused() {
    for args in [&["--threads", "many"][..], &["--socket"], &["--color", "red"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_pg_fusion_engine")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("ERROR: "));
    }
}
