//! A connection to a broker: requests and answers in turn, and the login.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fluxdb_adapters::Account;
use kafka_protocol::messages::{RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::requests::Ask;
use super::{good, refused, scram};
use crate::wire::Target;
use crate::wire::fault::Fault;
use crate::wire::transport::{Io, connect};

/// No answer that we ask for comes near it.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

const MECHANISM: &str = "SCRAM-SHA-512";

pub(super) struct Connection {
    stream: Box<dyn Io>,
    asked: i32,
}

impl Connection {
    pub(super) async fn open(to: &Target) -> Result<Self, Fault> {
        Ok(Self { stream: connect(to).await?, asked: 0 })
    }

    /// Proves the password, and has the broker prove that it knows it too.
    pub(super) async fn log_in(&mut self, account: &Account) -> Result<(), Fault> {
        let mechanism = StrBytes::from_static_str(MECHANISM);
        let shaken = self.ask(1, &SaslHandshakeRequest::default().with_mechanism(mechanism)).await?;
        good(shaken.error_code, None)?;
        let login = scram::Login::new(account, &scram::nonce());
        let challenge = self.authenticate(login.first()).await?;
        let (proof, verifier) = login.answer(&challenge).map_err(|why| lost(format!("login: {why}")))?;
        let last = self.authenticate(proof).await?;
        if last != verifier {
            return Err(Fault::LoginRefused("the server does not know the password either".into()));
        }
        Ok(())
    }

    async fn authenticate(&mut self, message: String) -> Result<String, Fault> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let answer = self.ask(2, &request).await?;
        if answer.error_code != 0 {
            return Err(refused(answer.error_code, answer.error_message.as_ref().map(|m| m.as_str())));
        }
        Ok(String::from_utf8_lossy(&answer.auth_bytes).into_owned())
    }

    /// Sends a request in this version of its kind and reads its answer.
    pub(super) async fn ask<R: Ask>(&mut self, version: i16, request: &R) -> Result<R::Answer, Fault> {
        self.asked = self.asked.wrapping_add(1);
        let frame = encode(self.asked, version, request)?;
        self.stream.write_all(&frame).await.map_err(lost)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await.map_err(lost)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LARGEST_ANSWER {
            return Err(lost("it does not speak Kafka's protocol, or answers without end"));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(lost)?;
        decode::<R>(self.asked, version, Bytes::from(answer))
    }
}

/// Length, header, request.
pub(super) fn encode<R: Ask>(number: i32, version: i16, request: &R) -> Result<BytesMut, Fault> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(number)
        .with_client_id(Some(StrBytes::from_static_str("fluxdb")));
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = header.encode(&mut frame, R::header_version(version));
    // Only what we set ourselves can be unsayable: a name that is too long.
    header
        .and_then(|()| request.encode(&mut frame, version))
        .map_err(|e| Fault::Refused("request".into(), e.to_string()))?;
    let length = i32::try_from(frame.len() - 4).map_err(|e| Fault::Refused("request".into(), e.to_string()))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// The answer without its length.
pub(super) fn decode<R: Ask>(number: i32, version: i16, mut answer: Bytes) -> Result<R::Answer, Fault> {
    let garbled = |e: &dyn std::fmt::Display| lost(format!("the answer makes no sense: {e}"));
    let header = ResponseHeader::decode(&mut answer, R::Answer::header_version(version)).map_err(|e| garbled(&e))?;
    if header.correlation_id != number {
        return Err(garbled(&"it answers another request"));
    }
    let response = R::Answer::decode(&mut answer, version).map_err(|e| garbled(&e))?;
    if answer.has_remaining() {
        return Err(garbled(&"it is longer than it should be"));
    }
    Ok(response)
}

pub(super) fn lost(why: impl ToString) -> Fault {
    Fault::Unreachable(why.to_string())
}
