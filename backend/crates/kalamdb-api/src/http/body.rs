//! Reads a JSON body within its limit of bytes and time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use kalamdb_commons::ErrorCode;
use serde::de::DeserializeOwned;

use crate::error::RequestError;
use crate::state::ApiOptions;

/// How much of a body that is too large is read and thrown away, so that the client, still
/// sending, gets to read the answer.
const DISCARD_BYTES_MAX: usize = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// The body, decoded.
///
/// # Errors
/// `TOO_LARGE` over the limit; `INVALID_INPUT` where it does not arrive in time or is not what the
/// route takes. The text names fields and types, never values.
pub(crate) async fn read<T: DeserializeOwned>(body: Body, options: &ApiOptions) -> Result<T, RequestError> {
    let bytes = match tokio::time::timeout(options.body_timeout, collect(body, options.body_bytes_max)).await {
        Ok(bytes) => bytes?,
        Err(_) => return Err(RequestError::new(ErrorCode::InvalidInput, "the body did not arrive in time")),
    };
    decode(&bytes)
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, RequestError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| RequestError::new(ErrorCode::InvalidInput, "the body ended before it was complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > bytes_max {
            // The answer is the same whether or not the client stops sending in time.
            let _ = tokio::time::timeout(DISCARD_TIME, discard(body)).await;
            return Err(RequestError::new(
                ErrorCode::TooLarge,
                format!("the body is larger than the limit of {bytes_max} bytes"),
            ));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

async fn discard(mut body: Body) {
    let mut discarded = 0_usize;
    while let Some(Ok(frame)) = body.frame().await {
        discarded = discarded.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if discarded > DISCARD_BYTES_MAX {
            return;
        }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "has not the fields and types that the route takes",
            serde_json::error::Category::Eof => "ends in the middle of the JSON",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "is not valid JSON",
        };
        let (line, column) = (error.line(), error.column());
        RequestError::new(ErrorCode::InvalidInput, format!("the body {what} (line {line}, column {column})"))
    })
}

#[cfg(test)]
mod tests;
