//! A component of `wasi:http/service@0.3` that does what the path says, well or badly.

#![cfg(target_family = "wasm")]
#![expect(clippy::unwrap_used, reason = "a guest that cannot go on has failed its test")]
#![expect(clippy::print_stdout, reason = "what is printed is tested")]

use wasip3::{
    exports::http::handler::Guest,
    http::{
        client,
        types::{ErrorCode, Fields, Request, Response, Scheme, Trailers},
    },
    spawn_local, wit_future, wit_stream,
};

struct Service;

wasip3::http::service::export!(Service);

impl Guest for Service {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/what" => Ok(text(what(&request))),
            "/echo" => Ok(echo(request)),
            "/trailers" => Ok(response(&[], "body".into(), Ending::Trailer("x-sum", "7"))),
            "/length" => Ok(response(&[("content-length", "5")], "12345".into(), Ending::Good)),
            "/too-short" => Ok(response(&[("content-length", "50")], "12345".into(), Ending::Good)),
            "/refuse" => Err(ErrorCode::ConfigurationError),
            "/spin" => spin(),
            "/trap" => panic!("as it was told"),
            "/trap-after" => Ok(response(&[], "begun".into(), Ending::Trap)),
            "/spin-after" => Ok(response(&[], "begun".into(), Ending::Spin)),
            "/abort-after" => Ok(response(&[], "begun".into(), Ending::Abort)),
            "/forever" => Ok(response(&[], String::new(), Ending::Never)),
            "/after" => Ok(response(&[], "done".into(), Ending::Work(query.to_owned()))),
            "/fetch" => {
                let mut results = Vec::new();
                for url in query.split('|') {
                    results.push(get(url).await);
                }
                Ok(text(results.join("\n")))
            }
            _ => Ok(text("nothing here".into())),
        }
    }
}

/// How a body ends after what was written of it.
enum Ending {
    Good,
    Trailer(&'static str, &'static str),
    Trap,
    Spin,
    Abort,
    Never,
    /// Well, and with a request of its own after it.
    Work(String),
}

fn what(request: &Request) -> String {
    format!(
        "{:?} {:?} {} {}",
        request.get_method(),
        request.get_scheme(),
        request.get_authority().unwrap_or_default(),
        request.get_path_with_query().unwrap_or_default()
    )
}

fn text(text: String) -> Response {
    response(&[("content-type", "text/plain")], text, Ending::Good)
}

fn fields(fields: &[(&str, &str)]) -> Fields {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Fields::from_list(&fields.collect::<Vec<_>>()).unwrap()
}

fn response(head: &[(&str, &str)], body: String, ending: Ending) -> Response {
    let (mut writer, reader) = wit_stream::new();
    let (end, ended) = wit_future::new::<Result<Option<Trailers>, ErrorCode>>(|| Ok(None));
    let (response, _sent) = Response::new(fields(head), Some(reader), ended);
    spawn_local(async move {
        writer.write_all(body.into_bytes()).await;
        let result = match ending {
            Ending::Good | Ending::Work(_) => Ok(None),
            Ending::Trailer(name, value) => Ok(Some(fields(&[(name, value)]))),
            Ending::Trap => panic!("as it was told"),
            Ending::Spin => spin(),
            Ending::Abort => Err(ErrorCode::HttpResponseIncomplete),
            Ending::Never => {
                // What could not be written comes back.
                while writer.write_all(vec![0; 64 << 10]).await.is_empty() {}
                Ok(None)
            }
        };
        drop(writer);
        let _ = end.write(result).await;
        if let Ending::Work(url) = ending {
            println!("{}", get(&url).await);
            println!("worked after the response");
        }
    });
    response
}

/// The request's body is the response's: the host passes it on by itself.
fn echo(request: Request) -> Response {
    let (done, result) = wit_future::new(|| Ok(()));
    drop(done);
    let (body, trailers) = Request::consume_body(request, result);
    Response::new(fields(&[]), Some(body), trailers).0
}

fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

/// Status and body of what `url` has, or the error's name.
async fn get(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let (end, ended) = wit_future::new::<Result<Option<Trailers>, ErrorCode>>(|| Ok(None));
    drop(end);
    let (request, _sent) = Request::new(fields(&[]), None, ended, None);
    request.set_scheme(Some(&scheme)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(&format!("/{path}"))).unwrap();
    match client::send(request).await {
        Ok(response) => {
            let status = response.get_status_code();
            let (done, result) = wit_future::new(|| Ok(()));
            drop(done);
            let (body, _) = Response::consume_body(response, result);
            format!("{status} {}", String::from_utf8_lossy(&body.collect().await))
        }
        Err(error) => {
            let text = format!("{error:?}");
            let text = text.trim_start_matches("ErrorCode::");
            text.split('(').next().unwrap_or_default().to_owned()
        }
    }
}
