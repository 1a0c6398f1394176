//! A TCP proxy that treats connections as a bad network does. It knows nothing of what they carry.
//!
//! What becomes of the nth connection follows from the seed and from n: after so many pieces, of either direction, something goes
//! wrong. Who came first, and how it was cut into pieces, is a matter of the operating system.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What goes wrong with a piece, request or answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It comes late.
    Delay,
    /// It does not come; the connection ends with a reset at both ends.
    Reset,
    /// Half of it comes, then the connection ends.
    Cut,
    /// Neither it nor anything after it comes; the connection stays open.
    BlackHole,
}

const FAULTS: [Fault; 4] = [Fault::Delay, Fault::Reset, Fault::Cut, Fault::BlackHole];

/// A running proxy.
pub(crate) struct TcpProxy {
    address: SocketAddr,
    line: Arc<Line>,
    server: JoinHandle<()>,
}

/// How bad it is.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    /// One in so many pieces, at the least, goes wrong.
    pub(crate) pieces: u32,
    /// So many connections in a hundred are bad from their first piece on. A client that tries again with a new connection needs luck.
    pub(crate) bad_at_once_percent: u32,
}

/// What all of its connections share.
struct Line {
    upstream: SocketAddr,
    seed: u64,
    weather: Weather,
    is_calm: AtomicBool,
    is_down: AtomicBool,
    outages: AtomicUsize,
    struck: [AtomicUsize; FAULTS.len()],
}

impl TcpProxy {
    /// Listens on a port of 127.0.0.1 (0: any) for another one.
    pub(crate) async fn start(port: u16, upstream: u16, seed: u64, weather: Weather) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.unwrap_or_else(|error| panic!("the proxy cannot listen on port {port}: {error}"));
        let address = listener.local_addr().expect("its address");
        let upstream = SocketAddr::from(([127, 0, 0, 1], upstream));
        let struck = std::array::from_fn(|_| AtomicUsize::new(0));
        let line = Arc::new(Line {
            upstream,
            seed,
            weather,
            is_calm: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            outages: AtomicUsize::new(0),
            struck,
        });
        let shared = Arc::clone(&line);
        let server = tokio::spawn(async move {
            for number in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                tokio::spawn(serve(Arc::clone(&shared), client, number));
            }
        });
        Self { address, line, server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks down for less than a second, again and again: whatever is said meanwhile ends in a reset, retries and all.
    pub(crate) async fn break_down_now_and_then(&self, random: &mut Rng) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(random.u64(4_000..10_000))).await;
            self.line.outages.fetch_add(1, Ordering::SeqCst);
            self.line.is_down.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(random.u64(300..900))).await;
            self.line.is_down.store(false, Ordering::SeqCst);
        }
    }

    /// How often it broke down.
    pub(crate) fn outages(&self) -> usize {
        self.line.outages.load(Ordering::SeqCst)
    }

    /// From now on everything passes, but for what is lost in a black hole already.
    pub(crate) fn calm(&self) {
        self.line.is_calm.store(true, Ordering::SeqCst);
        self.line.is_down.store(false, Ordering::SeqCst);
    }

    /// How often each kind of fault has struck.
    pub(crate) fn struck(&self) -> [(Fault, usize); FAULTS.len()] {
        FAULTS.map(|fault| (fault, self.line.struck[fault as usize].load(Ordering::SeqCst)))
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What will become of one connection.
struct Fate<'a> {
    line: &'a Line,
    random: Rng,
    pieces: u32,
}

impl<'a> Fate<'a> {
    fn of(line: &'a Line, number: u64) -> Self {
        let mut random = Rng::with_seed(line.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let is_bad_at_once = random.u32(..100) < line.weather.bad_at_once_percent;
        let pieces = if is_bad_at_once { 1 } else { random.u32(1..=line.weather.pieces) };
        Self { line, random, pieces }
    }

    /// What goes wrong with the next piece.
    fn next(&mut self) -> Option<Fault> {
        if self.line.is_down.load(Ordering::SeqCst) {
            return Some(Fault::Reset);
        }
        self.pieces -= 1;
        if self.pieces > 0 {
            return None;
        }
        self.pieces = self.random.u32(1..=self.line.weather.pieces);
        let fault = *self.random.choice(&FAULTS).expect("one of them");
        if self.line.is_calm.load(Ordering::SeqCst) {
            return None;
        }
        self.line.struck[fault as usize].fetch_add(1, Ordering::SeqCst);
        Some(fault)
    }

    /// From the inconvenient to more than what the functions wait for an answer.
    fn delay(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(50..3_500))
    }
}

/// Hands on what comes, either way, until one of the two ends or something ends it.
async fn serve(line: Arc<Line>, mut client: TcpStream, number: u64) {
    let Ok(mut server) = TcpStream::connect(line.upstream).await else { return };
    // Pieces go on as they come.
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let mut fate = Fate::of(&line, number);
    let (mut request, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let (piece, to) = tokio::select! {
            read = client.read(&mut request) => (piece(&request, read.ok()), &mut server),
            read = server.read(&mut answer) => (piece(&answer, read.ok()), &mut client),
        };
        let Some(piece) = piece else { return };
        match fate.next() {
            None => {}
            Some(Fault::Delay) => tokio::time::sleep(fate.delay()).await,
            Some(Fault::Reset) => {
                for end in [&client, &server] {
                    // Without lingering, closing sends a reset. If that cannot be set, a tidy end is bad enough.
                    let _ = end.set_zero_linger();
                }
                return;
            }
            Some(Fault::Cut) => {
                let _ = to.write_all(&piece[..piece.len() / 2]).await;
                return;
            }
            Some(Fault::BlackHole) => return until_closed(&mut client, &mut request).await,
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// What was read; nothing at an end.
fn piece(buffer: &[u8], read: Option<usize>) -> Option<&[u8]> {
    match read {
        Some(length @ 1..) => Some(&buffer[..length]),
        _ => None,
    }
}

/// Nobody hears what it says until it gives up.
async fn until_closed(client: &mut TcpStream, buffer: &mut [u8]) {
    while let Ok(1..) = client.read(buffer).await {}
}
