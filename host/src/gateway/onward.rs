//! What a message passes between the hooks that have seen its head and the socket that it goes
//! to: chunk hooks, content codings, and what of the head has to fit the body that comes out.

use std::sync::Arc;

use http::{
    HeaderMap, Request, Response,
    header::{ACCEPT_RANGES, CONTENT_ENCODING, IF_RANGE, RANGE},
};
use http_body::Body as _;

use crate::{
    body::Body,
    chain::{Chain, Hooked},
    coding::{self, Coded, Coding, Decoded, Encoded, Recode},
    error::Error,
    exchange::Exchange,
    generation::Route,
    plugin::Side,
};

/// The request on its way to the upstream.
///
/// # Errors
///
/// A plugin must see the body, and nobody can undo its coding.
pub(super) fn request(
    exchange: &mut Exchange,
    route: &Route,
    request: &mut Request<Body>,
) -> Result<(), Error> {
    if route.chain.wants_chunks(Side::Response) {
        for_whole_responses(request.headers_mut());
    }
    let recode = exchange.recode.take();
    let hooked = route.chain.wants_chunks(Side::Request);
    if !(hooked || recode.is_some()) || request.body().is_end_stream() {
        return Ok(());
    }
    let (mut head, mut body) = std::mem::replace(request, Request::new(Body::Empty)).into_parts();
    let passed = pass(exchange, route, Side::Request, &mut head.headers, &mut body, recode);
    let coding = passed.map_err(|_| Error::UnknownCoding)?;
    if let Some(coding) = coding {
        encode(coding, &mut head.headers, &mut body);
    }
    *request = Request::from_parts(head, body);
    Ok(())
}

/// The response on its way to the client. Where a plugin must see it and cannot, it is replaced.
pub(crate) fn response(exchange: &mut Exchange, response: Response<Body>) -> Response<Body> {
    let Some(route) = exchange.route.as_ref().filter(|_| exchange.reached > 0) else {
        return response;
    };
    let hooked = route.chain.wants_chunks(Side::Response);
    let recode = response.extensions().get::<Recode>().map(|Recode(coding)| *coding);
    if !hooked && recode.is_none() {
        return response;
    }
    let route = Arc::clone(route);
    let (mut head, mut body) = response.into_parts();
    if hooked {
        coding::bytes_change(&mut head.headers);
        coding::weaken(&mut head.headers);
        head.headers.remove(ACCEPT_RANGES);
    }
    // What is never sent passes no hooks; its head stays that of the response to a `GET`.
    if exchange.asks_for_head || body.is_end_stream() {
        return Response::from_parts(head, body);
    }
    let side = Side::Response;
    match pass(exchange, &route, side, &mut head.headers, &mut body, recode) {
        Ok(None) => {}
        Ok(Some(coding)) => {
            coding::vary(&mut head.headers);
            if coding::is_accepted(&exchange.request.headers, coding) {
                encode(coding, &mut head.headers, &mut body);
            }
        }
        Err(error) => {
            exchange.fail(error);
            return exchange.response.take().expect("a failure is a response");
        }
    }
    Response::from_parts(head, body)
}

/// Leads `body` through the chunk hooks, without its coding, and gives the coding that it had:
/// before them, or, as `recode` says, before a plugin replaced it.
fn pass(
    exchange: &mut Exchange,
    route: &Route,
    side: Side,
    headers: &mut HeaderMap,
    body: &mut Body,
    recode: Option<Coding>,
) -> Result<Option<Coding>, Error> {
    let coded = coding::of(headers);
    let uses = route.chain.chunk_uses(side, exchange);
    if uses.is_empty() {
        // A plugin that has set both body and coding means it so.
        return Ok(recode.filter(|_| coded == Coded::Plainly));
    }
    if coded == Coded::Unknown {
        Chain::pass_by(exchange, side, &uses)?;
        return Ok(None);
    }
    coding::bytes_change(headers);
    let mut source = std::mem::replace(body, Body::Empty);
    let mut had = recode;
    if let Coded::In(coding) = coded {
        headers.remove(CONTENT_ENCODING);
        source = Body::Changed(Box::pin(Decoded::new(source, coding)));
        had = Some(coding);
    }
    *body = Body::Changed(Box::pin(Hooked::new(source, side, uses, exchange.view())));
    Ok(had)
}

fn encode(coding: Coding, headers: &mut HeaderMap, body: &mut Body) {
    headers.insert(CONTENT_ENCODING, coding.header());
    let source = std::mem::replace(body, Body::Empty);
    *body = Body::Changed(Box::pin(Encoded::new(source, coding)));
}

/// A plugin that sees bodies has to see all of one: no ranges of it (RFC 9110 §14.2 lets a server
/// ignore `range`, and so a gateway), and no coding that nobody can undo.
fn for_whole_responses(headers: &mut HeaderMap) {
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
    coding::accept_known(headers);
}
