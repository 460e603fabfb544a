//! The form of what is said: protobuf messages, each after its length in 4 bytes, big-endian, at most 4 KiB.
//!
//! Without TLS a message is sealed: a MAC under the pairing's key follows, 32 bytes.
//! Errors: [`WireError`]; nothing is allocated for a length before it is checked.

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    error::WireError,
    limits::MESSAGE_BYTES_MAX,
    secret::{MAC_BYTES, PairingKey},
    wire::KNOCK,
};

pub(super) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    message: &impl Message,
) -> Result<(), WireError> {
    send(stream, &framed(&message.encode_to_vec())?).await
}

/// Reads no byte beyond the message. Not to be cancelled and called again.
pub(super) async fn read<M: Message + Default>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<M, WireError> {
    decode(&read_body(stream).await?)
}

/// A message with the MAC that came with it.
#[derive(Debug)]
pub(super) struct Sealed {
    body: Vec<u8>,
    pub(super) mac: [u8; MAC_BYTES],
}

impl Sealed {
    /// `context` is what the message answers, if anything.
    pub(super) fn new(
        key: &PairingKey,
        label: &str,
        context: &[u8],
        message: &impl Message,
    ) -> Self {
        let body = message.encode_to_vec();
        let mac = key.sign(label, &[context, &body]);
        Self { body, mac }
    }

    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, WireError> {
        let body = read_body(stream).await?;
        let mut mac = [0; MAC_BYTES];
        stream.read_exact(&mut mac).await.map_err(lost)?;
        Ok(Self { body, mac })
    }

    pub(super) async fn write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), WireError> {
        let mut bytes = framed(&self.body)?;
        bytes.extend(self.mac);
        send(stream, &bytes).await
    }

    /// With the byte before it that tells it from TLS.
    pub(super) async fn knock(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), WireError> {
        let mut bytes = vec![KNOCK];
        bytes.extend(framed(&self.body)?);
        bytes.extend(self.mac);
        send(stream, &bytes).await
    }

    /// What it says before anything is checked: good for finding the key to check it with.
    pub(super) fn unchecked<M: Message + Default>(&self) -> Result<M, WireError> {
        decode(&self.body)
    }

    pub(super) fn open<M: Message + Default>(
        &self,
        key: &PairingKey,
        label: &str,
        context: &[u8],
    ) -> Result<M, WireError> {
        match key.verifies(label, &[context, &self.body], &self.mac) {
            true => decode(&self.body),
            false => Err(WireError::Forged),
        }
    }
}

fn framed(body: &[u8]) -> Result<Vec<u8>, WireError> {
    let bytes = body.len();
    if bytes > MESSAGE_BYTES_MAX {
        return Err(WireError::TooLong { bytes });
    }
    let mut framed = (bytes as u32).to_be_bytes().to_vec();
    framed.extend(body);
    Ok(framed)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), WireError> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(lost)
}

async fn read_body(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, WireError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.map_err(lost)?;
    let bytes = u32::from_be_bytes(length) as usize;
    if bytes > MESSAGE_BYTES_MAX {
        return Err(WireError::TooLong { bytes });
    }
    let mut body = vec![0; bytes];
    stream.read_exact(&mut body).await.map_err(lost)?;
    Ok(body)
}

fn decode<M: Message + Default>(body: &[u8]) -> Result<M, WireError> {
    M::decode(body).map_err(|_| WireError::Malformed { what: "message" })
}

fn lost(source: std::io::Error) -> WireError {
    WireError::Io { source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendezvous::{
        names::{Link, Side},
        secret::PairingId,
        wire::{Errand, Knock},
    };

    fn check(bytes: &[u8]) -> Result<Knock, WireError> {
        let mut rest = bytes;
        let read = futures::executor::block_on(read(&mut rest));
        read.inspect(|_| assert!(rest.is_empty()))
    }

    fn knock() -> Knock {
        Knock::new(
            PairingId([7; 16]),
            Errand::Punch,
            Side::Larger,
            Link::Second,
        )
    }

    #[test]
    fn a_message_reads_as_it_was_written() {
        let mut bytes = Vec::new();
        futures::executor::block_on(write(&mut bytes, &knock())).unwrap();
        let read = check(&bytes).unwrap();
        assert_eq!(read, knock());
        assert_eq!(read.pairing(), Some(PairingId([7; 16])));
        assert_eq!((read.side(), read.link()), (Side::Larger, Link::Second));
    }

    #[test]
    fn a_long_a_torn_and_a_malformed_message_are_errors() {
        let long = (MESSAGE_BYTES_MAX as u32 + 1).to_be_bytes();
        assert!(matches!(
            check(&long),
            Err(WireError::TooLong { bytes: 4097 })
        ));
        assert!(matches!(check(&[0, 0, 0, 9, 1]), Err(WireError::Io { .. })));
        assert!(matches!(
            check(&[0, 0, 0, 1, 0xff]),
            Err(WireError::Malformed { .. })
        ));
        let mut knock = knock();
        knock.private = vec!["x".repeat(MESSAGE_BYTES_MAX)];
        let written = futures::executor::block_on(write(&mut Vec::new(), &knock));
        assert!(matches!(written, Err(WireError::TooLong { .. })));
    }

    #[test]
    fn a_seal_holds_for_one_key_one_label_and_one_context() {
        let key = PairingKey::generate();
        let sealed = Sealed::new(&key, "label", b"context", &knock());
        assert_eq!(
            sealed.open::<Knock>(&key, "label", b"context").unwrap(),
            knock()
        );
        let other = PairingKey::generate();
        for opened in [
            sealed.open::<Knock>(&other, "label", b"context"),
            sealed.open::<Knock>(&key, "other", b"context"),
            sealed.open::<Knock>(&key, "label", b""),
        ] {
            assert!(matches!(opened, Err(WireError::Forged)));
        }
    }
}
