//! What an instance holds in the host by its handles: bytes beside its own memory, which it could pile
//! up by filling the same piece of that again and again.

use http::Response;

use super::state::Misuse;
use crate::{body::Body, config::UseLimits};

/// Bytes that one instance holds in the host. It may hold as many as in its own memory.
pub(super) struct Held {
    bytes: usize,
    limit: usize,
}

/// A response of the guest's own, and for how many bytes it counts.
pub(super) struct OwnResponse {
    pub(super) response: Response<Body>,
    bytes: usize,
}

impl Held {
    pub(super) fn new(limits: &UseLimits) -> Self {
        Self { bytes: 0, limit: limits.memory }
    }

    /// How many more it may hold.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes)
    }

    /// Why there is no room.
    pub(super) fn refusal(&self) -> String {
        format!("an instance of the use holds at most {} bytes in the gateway", self.limit)
    }

    /// Counts what there is room for.
    pub(super) fn take(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    /// Takes a response in.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub(super) fn keep(&mut self, response: Response<Body>) -> Result<OwnResponse, Misuse> {
        let mut own = OwnResponse { response, bytes: 0 };
        self.recount(&mut own);
        if self.bytes > self.limit {
            self.bytes -= own.bytes;
            return Err(Misuse("too many bytes of responses are held at a time"));
        }
        Ok(own)
    }

    /// Counts a response as it is now.
    pub(super) fn recount(&mut self, own: &mut OwnResponse) {
        let bytes = size(&own.response);
        self.bytes = self.bytes - own.bytes + bytes;
        own.bytes = bytes;
    }

    /// Gives a response away.
    pub(super) fn release(&mut self, own: OwnResponse) -> Response<Body> {
        self.bytes -= own.bytes;
        own.response
    }

    /// How many bytes the body of a response may have.
    pub(super) fn room_for_body(&self, own: &OwnResponse) -> usize {
        self.room() + own.response.body().held()
    }
}

fn size(response: &Response<Body>) -> usize {
    let fields = response.headers().iter();
    let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len()).sum();
    fields + response.body().held()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_away_makes_room() {
        let mut held = Held { bytes: 0, limit: 10 };
        let response = |length| Response::new(Body::full(vec![0; length]));
        let six = held.keep(response(6)).expect("room");
        assert!(held.keep(response(5)).is_err());
        let four = held.keep(response(4)).expect("room");
        assert_eq!((held.room(), held.room_for_body(&four)), (0, 4));
        held.release(six);
        assert_eq!(held.room(), 6);
    }

    #[test]
    fn a_response_counts_as_it_is() {
        let mut held = Held { bytes: 0, limit: 100 };
        let mut own = held.keep(Response::new(Body::Empty)).expect("room");
        *own.response.body_mut() = Body::full(vec![0; 30]);
        own.response.headers_mut().insert("x-a", "1234567".parse().expect("a value"));
        held.recount(&mut own);
        assert_eq!(held.room(), 60);
        *own.response.body_mut() = Body::Empty;
        held.recount(&mut own);
        assert_eq!(held.room(), 90);
    }
}
