//! A component of `wasi:http/proxy@0.2` that does what the path says, well or badly.

#![cfg(target_family = "wasm")]
#![expect(clippy::unwrap_used, reason = "a guest that cannot go on has failed its test")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is printed is tested")]

mod fetch;
mod reply;

use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{ErrorCode, IncomingRequest, ResponseOutparam},
};

use self::reply::{Reply, echo};

struct Proxy;

wasip2::http::proxy::export!(Proxy);

impl Guest for Proxy {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/what" => Reply::new(out).text(&what(&request)),
            "/fields" => Reply::new(out).text(&fields(&request)),
            "/reserved" => Reply::new(out).text(&reserved()),
            "/hop-by-hop" => Reply::new(out)
                .with("te", "trailers")
                .with("trailer", "x-sum")
                .with("x-own", "1")
                .text("sent"),
            "/echo" => echo(&request, Reply::new(out)),
            "/length" => Reply::new(out).with("content-length", "5").text("12345"),
            "/too-short" => {
                let reply = Reply::new(out).with("content-length", "50");
                let _ = reply.begin().try_end("12345");
            }
            "/length-only" => Reply::new(out).with("content-length", "5").head_only(),
            "/trailers" => Reply::new(out).begin().end_with_trailer("body", "x-sum", "7"),
            "/status" => Reply::new(out).status(query.parse().unwrap()).text(""),
            "/none" => drop(out),
            "/refuse" => ResponseOutparam::set(out, Err(ErrorCode::ConfigurationError)),
            "/spin" => spin(),
            "/spin-after" => {
                Reply::new(out).begin().write("begun");
                spin();
            }
            "/spin-later" => {
                Reply::new(out).text("done");
                spin();
            }
            "/trap" => panic!("as it was told"),
            "/trap-after" => {
                let body = Reply::new(out).begin();
                body.write("begun");
                panic!("as it was told");
            }
            "/abort-after" => Reply::new(out).begin().write("begun").abandon(),
            "/grow" => {
                let grown = vec![1_u8; query.parse().unwrap()];
                Reply::new(out)
                    .text(&grown.iter().map(|byte| u64::from(*byte)).sum::<u64>().to_string());
            }
            "/print" => {
                println!("printed by the guest");
                eprintln!("complained by the guest");
                Reply::new(out).text("printed");
            }
            "/forever" => forever(Reply::new(out)),
            "/granted" => Reply::new(out).text(&granted()),
            "/after" => {
                Reply::new(out).text("done");
                println!("{}", fetch::get(query));
                println!("worked after the response");
            }
            "/fetch" => {
                let results: Vec<_> = query.split('|').map(fetch::get).collect();
                Reply::new(out).text(&results.join("\n"));
            }
            "/forward" => fetch::forward(query, &request, Reply::new(out)),
            _ => Reply::new(out).status(404).text("nothing here"),
        }
    }
}

fn what(request: &IncomingRequest) -> String {
    format!(
        "{:?} {:?} {} {}",
        request.method(),
        request.scheme().unwrap(),
        request.authority().unwrap_or_default(),
        request.path_with_query().unwrap_or_default()
    )
}

fn fields(request: &IncomingRequest) -> String {
    let lines = request.headers().entries();
    let lines =
        lines.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// What comes of setting fields that are the gateway's.
fn reserved() -> String {
    let fields = wasip2::http::types::Fields::new();
    let names = ["connection", "transfer-encoding", "upgrade", "host", "x-own"];
    let results = names.map(|name| fields.set(name, &[b"x".to_vec()]).is_ok());
    format!("{results:?}")
}

fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

/// Writes until nobody takes it any more.
fn forever(reply: Reply) {
    let body = reply.begin();
    let mut sent = 0;
    while body.try_write(&[0; 4096]).is_ok() {
        sent += 4096;
        if sent % (1 << 20) == 0 {
            println!("sent {} MiB", sent >> 20);
        }
    }
}

fn granted() -> String {
    let variables = std::env::vars().count();
    let arguments = std::env::args().count();
    let file = std::fs::File::open("/etc/passwd").is_ok();
    let socket = std::net::TcpStream::connect("127.0.0.1:1").map_err(|error| error.kind());
    format!("{variables} {arguments} {file} {socket:?}")
}
