//! The engine as a process: its configuration, what all sessions share, and the listening socket.
//!
//! Two sets of threads: a few for sockets, which never compute, and crews for queries, which never wait for a
//! socket. So pages, cancellation and new sessions are served while all cores compute.
//!
//! Invariants: the socket lies in a folder of mode 0700 and has mode 0600; a peer of another operating-system user is hung up
//! on before a byte is read; a name in the folder always leads to a socket that listens (bound elsewhere, then renamed).

use crate::activity::Activity;
use crate::admission::Admission;
use crate::cache::ColumnCache;
use crate::crews::{CREWS, Crews, on_each_thread};
use crate::error::{Error, Result};
use crate::log::{self, Level};
use crate::memory;
use crate::metrics::EngineCounters;
use crate::resident::{self, Allocator, Resident};
use crate::session::connection;
use datafusion::execution::runtime_env::RuntimeEnv;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads for the sockets of all sessions. One passes on all that a backend can send; a second one is woken for nothing most of the time.
const SOCKET_THREADS: usize = 1;
/// Stack of a query thread, bytes: plans are trees, as deep as PostgreSQL's own stack limit lets them be.
const QUERY_STACK: usize = 16 << 20;
/// Queries that run at a time, per partition: enough to keep the threads busy while some wait for their backends.
const QUERIES_PER_THREAD: usize = 8;
/// How long no query has run when memory goes back to the system.
const IDLE: Duration = Duration::from_secs(10);
/// After how long it does so once more: what a thread gives back the allocator keeps for a second, until it is asked again.
const PURGE: Duration = Duration::from_millis(1500);
/// Pause after `accept` failed (out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Sessions of one engine, unless configured otherwise.
pub const MAX_SESSIONS: u32 = 4096;

/// What the engine is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The socket.
    pub socket: PathBuf,
    /// How often the supervisor has restarted the engine.
    pub restarts: u32,
    /// How the one before it ended.
    pub last_end: Option<String>,
    /// Partitions of a plan: how many cores a query uses.
    pub threads: usize,
    /// Memory of all queries and of the column cache, bytes.
    pub memory_limit: usize,
    /// Memory that the column cache may take of it, bytes.
    pub cache_size: usize,
    /// Where queries spill to, a folder that others may use, too; None: beside the socket.
    pub temp_dir: Option<PathBuf>,
    /// Most that all of them may spill, bytes.
    pub temp_limit: u64,
    /// Queries that run at a time; 0: so many per thread.
    pub max_queries: usize,
    /// Whether tests may ask for faults.
    pub faults: bool,
    /// Sessions at a time.
    pub max_sessions: u32,
    /// The program's allocator; see [`Resident::new`].
    pub allocator: Option<Allocator>,
}

impl Config {
    /// Defaults for a socket.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            restarts: 0,
            last_end: None,
            threads: std::thread::available_parallelism().map_or(1, |threads| threads.get()),
            memory_limit: memory::default_limit(),
            cache_size: memory::default_cache_size(),
            temp_dir: None,
            temp_limit: u64::MAX,
            max_queries: 0,
            faults: false,
            max_sessions: MAX_SESSIONS,
            allocator: None,
        }
    }
}

/// What all sessions share.
#[derive(Debug)]
pub struct Engine {
    /// As started.
    pub config: Config,
    /// Memory and spill files of queries.
    pub runtime: Arc<RuntimeEnv>,
    /// What the process has in memory.
    pub resident: Arc<Resident>,
    /// Decoded columns.
    pub cache: Arc<ColumnCache>,
    /// Where queries run.
    pub crews: Crews,
    /// Which queries run.
    pub admission: Admission,
    /// What they take.
    pub activity: Activity,
    /// Figures.
    pub counters: EngineCounters,
}

impl Engine {
    /// Has all threads give back to the system what they, or others for them, have freed: query threads free what came through the socket. Does not wait for it.
    /// Called on a socket thread.
    pub fn give_back(self: &Arc<Self>) {
        let Some(allocator) = self.config.allocator else { return };
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            for pause in [Duration::ZERO, PURGE] {
                tokio::time::sleep(pause).await;
                if engine.counters.queries.get() == 0 {
                    engine.crews.on_each_thread(allocator.give_back);
                    on_each_thread(&Handle::current(), allocator.give_back);
                }
            }
        });
    }
}

/// A running engine. Dropping it ends all sessions and queries.
#[derive(Debug)]
pub struct Server {
    engine: Arc<Engine>,
    /// Device and inode of the socket: another engine may have taken its name.
    socket: Option<(u64, u64)>,
    spill: PathBuf,
    /// Before `queries`, so that sessions end first.
    sockets: Option<Runtime>,
    queries: Vec<Runtime>,
}

impl Server {
    /// Starts threads and listens.
    pub fn start(config: Config) -> Result<Self> {
        let folder = config.socket.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
        make_private_folder(&folder)?;
        let cache = Arc::new(ColumnCache::new(config.cache_size.min(config.memory_limit)));
        let spill = spill_folder(&config, &folder)?;
        let resident = Arc::new(Resident::new(config.allocator));
        let runtime = memory::runtime(config.memory_limit, &spill, config.temp_limit, &cache, &resident)?;
        let crew = || {
            let resident = Arc::clone(&resident);
            Builder::new_multi_thread()
                .worker_threads(config.threads.max(1))
                // Nothing of a query is to block (see `crate::spill`); if something does, not in hundreds of threads.
                .max_blocking_threads(config.threads.max(1))
                .thread_name("query")
                .thread_stack_size(QUERY_STACK)
                .enable_time()
                .on_thread_park(move || resident.before_idling())
                .build()
                .map_err(Error::io("start query threads"))
        };
        let first = crew()?;
        let others = (1..CREWS).map(|_| crew()).collect::<Result<Vec<Runtime>>>()?;
        let crews = Crews::new(first.handle().clone(), others.iter().map(|crew| crew.handle().clone()));
        let queries = std::iter::once(first).chain(others).collect();
        let sockets = Builder::new_multi_thread()
            .worker_threads(SOCKET_THREADS)
            .thread_name("socket")
            .enable_io()
            .enable_time()
            .build()
            .map_err(Error::io("start socket threads"))?;
        let engine = Arc::new(Engine {
            admission: Admission::new(match config.max_queries {
                0 => QUERIES_PER_THREAD * config.threads.max(1),
                most => most,
            }),
            activity: Activity::default(),
            counters: EngineCounters::new(config.restarts, config.last_end.clone()),
            runtime,
            resident,
            cache,
            crews,
            config,
        });
        let listener = {
            let _inside = sockets.enter();
            listen(&engine.config.socket)?
        };
        sockets.spawn(accept(Arc::clone(&engine), listener));
        sockets.spawn(look(Arc::clone(&engine)));
        let socket = identity(&engine.config.socket);
        Ok(Self { engine, socket, spill, sockets: Some(sockets), queries })
    }

    /// What all sessions share.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Waits until `future` is done, on the socket threads' runtime.
    pub fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        self.sockets.as_ref().map(|sockets| sockets.block_on(future))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.socket.is_some() && identity(&self.engine.config.socket) == self.socket {
            let _ = fs::remove_file(&self.engine.config.socket);
        }
        for runtime in self.sockets.take().into_iter().chain(self.queries.drain(..)) {
            runtime.shutdown_background();
        }
        // What is still written there has lost its name.
        let _ = fs::remove_dir_all(&self.spill);
    }
}

/// The folder for spilled data, this engine's alone: named after the socket's folder where it lies in one that others use.
fn spill_folder(config: &Config, folder: &Path) -> Result<PathBuf> {
    let Some(temp) = &config.temp_dir else { return Ok(folder.join("spill")) };
    let (device, inode) = identity(folder).ok_or_else(|| Error::internal("the socket folder is gone"))?;
    Ok(temp.join(format!("pg_fusion_spill.{device}.{inode}")))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Creates the folder, or takes rights of others from the one that is there.
fn make_private_folder(folder: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::Io("create the socket folder", error));
        }
        _ => {}
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(Error::io("protect the socket folder"))
}

/// Binds under another name and renames, so that a socket of an earlier engine is replaced at once.
fn listen(path: &Path) -> Result<UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary).map_err(Error::io("bind the socket"))?;
    fs::set_permissions(&temporary, Permissions::from_mode(0o600)).map_err(Error::io("protect the socket"))?;
    fs::rename(&temporary, path).map_err(Error::io("rename the socket"))?;
    Ok(listener)
}

/// Looks at the process's memory: often while queries run, and now and then when it idles. After [`IDLE`] its threads give back what they have freed; sooner, the next
/// query would have to take it again.
async fn look(engine: Arc<Engine>) {
    const IDLE_LOOKS: u32 = 20;
    let mut interval = tokio::time::interval(resident::INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut last_query, mut has_more) = (Instant::now(), false);
    loop {
        for _ in 0..IDLE_LOOKS {
            interval.tick().await;
            if engine.counters.queries.get() > 0 {
                (last_query, has_more) = (Instant::now(), true);
                break;
            }
        }
        if has_more && last_query.elapsed() >= IDLE {
            engine.give_back();
            has_more = false;
        }
        engine.resident.look();
    }
}

/// Serves each connection in a task of its own.
async fn accept(engine: Arc<Engine>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_our_user(&stream) => {
                tokio::spawn(session(Arc::clone(&engine), stream));
            }
            Ok(_) => log::line(Level::Warning, "connection of another operating-system user refused"),
            Err(error) => {
                log::line(Level::Warning, &format!("connection could not be accepted: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_our_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

async fn session(engine: Arc<Engine>, stream: UnixStream) {
    let held = engine.counters.sessions.hold();
    let result = connection::serve(Arc::clone(&engine), stream).await;
    drop(held);
    if let Err(error) = result {
        log::line(Level::Warning, &format!("session ended: {error}"));
    }
}
