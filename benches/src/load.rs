//! Asks a gateway or a proxy, and says what that costs its processes: `bench-load MODE PORT PROCESSES ARGUMENTS`.
//!
//! - `spent PORT PID,PID REQUESTS CONNECTIONS`: one request after the other on each connection; prints the processor time
//!   of the processes, in microseconds a request.
//! - `paced PORT PID REQUESTS_A_SECOND SECONDS`: requests at a steady rate; prints the median and two more of how long an
//!   answer took, in microseconds, from when the request was due.
//! - `held PORT PID STREAMS`: opens streams that do not end; prints what memory the process has before and with them.
//!
//! The key is in `BENCH_KEY`, the model in `BENCH_MODEL`; with `BENCH_ANEW` it is asked in words that a gateway has to write
//! anew for this model. Linux alone: it reads `/proc`.
#![allow(clippy::print_stdout, reason = "the figures are for a person")]
#![allow(clippy::cast_precision_loss, reason = "figures of a bench")]
#![allow(clippy::disallowed_methods, reason = "threads of its own sleep, in no runtime")]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What `/proc` counts processor time in: hundredths of a second, on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().map_err(io::Error::other);
    match words[..] {
        ["spent", port, processes, requests, connections] => {
            spent(&address(port), processes, number(requests)?, number(connections)?)
        }
        ["paced", port, rate, seconds] => paced(&address(port), number(rate)?, number(seconds)?),
        ["held", port, process, streams] => held(&address(port), process, number(streams)?),
        _ => Err(io::Error::other("the modes are spent, paced and held; see the program's first lines")),
    }
}

fn address(port: &str) -> String {
    format!("127.0.0.1:{port}")
}

/// One question, as an SDK asks it; the answer to one that is held does not end.
fn question(is_held: bool) -> Vec<u8> {
    let model = std::env::var("BENCH_MODEL").unwrap_or_else(|_| "gpt-6-luna".to_owned());
    let key = std::env::var("BENCH_KEY").unwrap_or_else(|_| "none".to_owned());
    let (asked, stream) = if is_held {
        ("hold", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}")
    } else {
        ("Why is the sea salt?", "")
    };
    let is_anew = std::env::var_os("BENCH_ANEW").is_some();
    let settings = if is_anew { "\"temperature\":0.5,\"max_tokens\":200" } else { "\"max_completion_tokens\":200" };
    let body = format!(
        "{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"system\",\"content\":\"Be brief.\"}},\
         {{\"role\":\"user\",\"content\":\"{asked}\"}}],{settings}{stream}}}"
    );
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nuser-agent: bench\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

fn connected(address: &str) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Asks, and reads an answer that says its length.
fn ask(socket: &mut TcpStream, question: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
    socket.write_all(question)?;
    buffer.clear();
    let mut piece = [0; 8192];
    loop {
        let read = socket.read(&mut piece)?;
        if read == 0 {
            return Err(io::Error::other("the connection was closed in the middle of an answer"));
        }
        buffer.extend_from_slice(&piece[..read]);
        let Some(head) = buffer.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let said = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
        if !said.starts_with("http/1.1 200") {
            return Err(io::Error::other(String::from_utf8_lossy(buffer).into_owned()));
        }
        let length = said.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let length = length.ok_or_else(|| io::Error::other("an answer without its length"))?;
        if buffer.len() >= head + 4 + length {
            return Ok(());
        }
    }
}

/// The processor time of processes, all their threads together.
fn time_of(processes: &str) -> io::Result<Duration> {
    let mut ticks = 0;
    for process in processes.split(',') {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name may have spaces; the fields behind it are those from the third on: proc(5).
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).unwrap_or(0);
        ticks += field(11) + field(12);
    }
    Ok(TICK * ticks)
}

fn memory_of(process: &str) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    resident.ok_or_else(|| io::Error::other("no VmRSS"))
}

fn spent(address: &str, processes: &str, requests: u64, connections: u64) -> io::Result<()> {
    let run = |each: u64| {
        let asking = (0..connections).map(|_| {
            let address = address.to_owned();
            std::thread::spawn(move || {
                let (mut socket, question, mut buffer) = (connected(&address)?, question(false), Vec::new());
                (0..each).try_for_each(|_| ask(&mut socket, &question, &mut buffer))
            })
        });
        let asking: Vec<_> = asking.collect();
        asking.into_iter().try_for_each(|thread| thread.join().expect("a thread does not panic"))
    };
    // What is done once, connecting and first looks, is not counted.
    run(100)?;
    let each = requests / connections;
    let before = time_of(processes)?;
    run(each)?;
    let time = time_of(processes)?.saturating_sub(before);
    println!("{:.1}", time.as_secs_f64() * 1e6 / (each * connections) as f64);
    Ok(())
}

fn paced(address: &str, rate: u64, seconds: u64) -> io::Result<()> {
    const THREADS: u8 = 16;
    let start = Instant::now() + Duration::from_millis(200);
    let asking = (0..THREADS).map(|thread| {
        let address = address.to_owned();
        std::thread::spawn(move || {
            let (mut socket, question, mut buffer) = (connected(&address)?, question(false), Vec::new());
            let mut took = Vec::new();
            for number in (u64::from(thread)..rate * seconds).step_by(THREADS.into()) {
                let due = start + Duration::from_nanos(number * 1_000_000_000 / rate);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                ask(&mut socket, &question, &mut buffer)?;
                took.push(due.elapsed());
            }
            io::Result::Ok(took)
        })
    });
    let asking: Vec<_> = asking.collect();
    let mut all = Vec::new();
    for thread in asking {
        all.extend(thread.join().expect("a thread does not panic")?);
    }
    all.sort_unstable();
    let at = |share: usize| all[(all.len() * share / 1000).min(all.len() - 1)].as_micros();
    println!("{} {} {}", at(500), at(950), at(990));
    Ok(())
}

fn held(address: &str, process: &str, streams: u64) -> io::Result<()> {
    let before = memory_of(process)?;
    let question = question(true);
    let mut open = Vec::new();
    let mut piece = [0; 4096];
    for _ in 0..streams {
        let mut socket = connected(address)?;
        socket.write_all(&question)?;
        let read = socket.read(&mut piece)?;
        if !piece[..read].starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other(String::from_utf8_lossy(&piece[..read]).into_owned()));
        }
        open.push(socket);
    }
    let with = memory_of(process)?;
    println!("{before} {with} {:.1}", with.saturating_sub(before) as f64 / streams as f64);
    Ok(())
}
