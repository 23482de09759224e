//! Messages on their way into a signature: digested piece by piece, so that the hook's CPU limit is
//! looked at in between, however long they are.

use aws_lc_rs::{
    digest::{self, Digest},
    hmac,
};

/// Bytes that are digested between two looks at the CPU limit, a millisecond or so.
pub(super) const PIECE: usize = 1 << 20;

/// Longest message that is signed or verified in one piece, in bytes: some ten milliseconds.
pub(super) const MAX_WHOLE: usize = 4 << 20;

/// What a signature is made of, or compared with.
pub(super) enum Message<'m> {
    Digest(Digest),
    /// The signature itself.
    Tag(hmac::Tag),
    /// EdDSA goes over its message twice (RFC 8032 §5.1.6): at most [`MAX_WHOLE`] bytes of it.
    Whole(&'m [u8]),
}

impl Message<'_> {
    /// Bytes that signing or verifying still goes over.
    pub(super) fn left(&self) -> usize {
        match self {
            Self::Digest(_) | Self::Tag(_) => 0,
            Self::Whole(message) => message.len(),
        }
    }
}

/// How a message becomes one.
#[expect(clippy::large_enum_variant, reason = "it is on the stack, for the length of a call")]
pub(super) enum Intake {
    Digest(digest::Context),
    Tag(hmac::Context),
    Whole,
}

impl Intake {
    pub(super) fn digest(algorithm: &'static digest::Algorithm) -> Self {
        Self::Digest(digest::Context::new(algorithm))
    }

    pub(super) fn tag(key: &hmac::Key) -> Self {
        Self::Tag(hmac::Context::with_key(key))
    }

    /// Takes `message` in. `on_time` does the work on so many bytes of it.
    ///
    /// # Errors
    ///
    /// Those of `on_time`.
    pub(super) fn take<'m, E>(
        self,
        message: &'m [u8],
        on_time: impl Fn(usize, &mut dyn FnMut()) -> Result<(), E>,
    ) -> Result<Message<'m>, E> {
        Ok(match self {
            Self::Digest(mut digest) => {
                in_pieces(message, on_time, |piece| digest.update(piece))?;
                Message::Digest(digest.finish())
            }
            Self::Tag(mut tag) => {
                in_pieces(message, on_time, |piece| tag.update(piece))?;
                Message::Tag(tag.sign())
            }
            Self::Whole => Message::Whole(message),
        })
    }
}

/// Gives `bytes` to `update`, so many at a time that the CPU limit can be looked at in between.
///
/// # Errors
///
/// Those of `on_time`.
pub(super) fn in_pieces<E>(
    bytes: &[u8],
    on_time: impl Fn(usize, &mut dyn FnMut()) -> Result<(), E>,
    mut update: impl FnMut(&[u8]),
) -> Result<(), E> {
    bytes.chunks(PIECE).try_for_each(|piece| on_time(piece.len(), &mut || update(piece)))
}
