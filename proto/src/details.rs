//! The details of a status (`google.rpc.Status`, in `grpc-status-details-bin`),
//! written in one piece and read where they lie. Every refused call has some, and
//! several layers ask for its reason: as messages they would be copied each time.

use std::time::Duration;

use prost::{Message as _, decode_length_delimiter, encode_length_delimiter};
use tonic::Code;

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// Fields of `google.rpc.Status`.
const CODE: u8 = 1;
const MESSAGE: u8 = 2;
const DETAILS: u8 = 3;
/// Fields of `google.protobuf.Any`.
const TYPE_URL: u8 = 1;
const VALUE: u8 = 2;
/// Fields of `google.rpc.ErrorInfo`, and of an entry of its map.
const REASON: u8 = 1;
const DOMAIN: u8 = 2;
const METADATA: u8 = 3;
const ENTRY_KEY: u8 = 1;
const ENTRY_VALUE: u8 = 2;
/// The one field of `google.rpc.RetryInfo`.
const RETRY_DELAY: u8 = 1;
/// Fields of `google.rpc.BadRequest` and of a violation in it.
const VIOLATIONS: u8 = 1;
const FIELD: u8 = 1;
const DESCRIPTION: u8 = 2;

/// Types of fields on the wire.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const BYTES: u8 = 2;
const FOUR_BYTES: u8 = 5;

/// What is said of an error.
pub(crate) struct Said<'a> {
    pub(crate) code: Code,
    pub(crate) message: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) metadata: &'a [(&'static str, String)],
    pub(crate) retry_after: Option<Duration>,
    /// The request's field that is wrong.
    pub(crate) field: Option<&'static str>,
}

impl Said<'_> {
    /// The same as a message `google.rpc.Status`.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut status = Vec::with_capacity(256);
        status.push(CODE << 3 | VARINT);
        // Each is below 128, and so a byte.
        status.push(self.code as u8);
        put_text(&mut status, MESSAGE, self.message);
        let mut scratch = Vec::with_capacity(128);
        if let Some(delay) = self.retry_after {
            let delay = prost_types::Duration::try_from(delay).unwrap_or_default();
            put(&mut scratch, RETRY_DELAY, &delay.encode_to_vec());
            put_any(&mut status, RETRY_INFO, &scratch);
            scratch.clear();
        }
        put_text(&mut scratch, REASON, self.reason);
        put_text(&mut scratch, DOMAIN, self.domain);
        for (key, value) in self.metadata {
            put_pair(
                &mut scratch,
                METADATA,
                (ENTRY_KEY, key),
                (ENTRY_VALUE, value),
            );
        }
        put_any(&mut status, ERROR_INFO, &scratch);
        if let Some(field) = self.field {
            scratch.clear();
            let description = (DESCRIPTION, self.message);
            put_pair(&mut scratch, VIOLATIONS, (FIELD, field), description);
            put_any(&mut status, BAD_REQUEST, &scratch);
        }
        status
    }
}

fn put_head(message: &mut Vec<u8>, field: u8, length: usize) {
    message.push(field << 3 | BYTES);
    // A vector grows.
    let _ = encode_length_delimiter(length, message);
}

fn put(message: &mut Vec<u8>, field: u8, value: &[u8]) {
    put_head(message, field, value.len());
    message.extend_from_slice(value);
}

/// An empty text is not written.
fn put_text(message: &mut Vec<u8>, field: u8, text: &str) {
    if !text.is_empty() {
        put(message, field, text.as_bytes());
    }
}

/// How long a field with this value is.
fn length(value: usize) -> usize {
    1 + prost::length_delimiter_len(value) + value
}

fn text_length(text: &str) -> usize {
    if text.is_empty() {
        0
    } else {
        length(text.len())
    }
}

fn put_pair(message: &mut Vec<u8>, field: u8, one: (u8, &str), other: (u8, &str)) {
    put_head(message, field, text_length(one.1) + text_length(other.1));
    put_text(message, one.0, one.1);
    put_text(message, other.0, other.1);
}

fn put_any(status: &mut Vec<u8>, type_url: &str, value: &[u8]) {
    put_head(
        status,
        DETAILS,
        length(type_url.len()) + length(value.len()),
    );
    put_text(status, TYPE_URL, type_url);
    put(status, VALUE, value);
}

/// The fields of a message that are bytes, texts or messages, up to where it
/// cannot be read.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            // An error would be made on the heap, for each end.
            if message.is_empty() {
                return None;
            }
            let head = number(&mut message)?;
            match u8::try_from(head & 7).ok()? {
                VARINT => drop(number(&mut message)?),
                EIGHT_BYTES => message = message.get(8..)?,
                FOUR_BYTES => message = message.get(4..)?,
                BYTES => {
                    let length = number(&mut message)?;
                    let (value, rest) = message.split_at_checked(length)?;
                    message = rest;
                    return Some((head >> 3, value));
                }
                _ => return None,
            }
        }
    })
}

fn number(message: &mut &[u8]) -> Option<usize> {
    decode_length_delimiter(message).ok()
}

/// The last one counts.
fn field(message: &[u8], field: u8) -> Option<&[u8]> {
    let wanted = |(number, value)| (number == usize::from(field)).then_some(value);
    fields(message).filter_map(wanted).last()
}

fn text(message: &[u8], name: u8) -> &str {
    let value = field(message, name).unwrap_or_default();
    str::from_utf8(value).unwrap_or_default()
}

/// The first detail of this type.
fn detail<'a>(details: &'a [u8], type_url: &str) -> Option<&'a [u8]> {
    fields(details)
        .filter(|(number, _)| *number == usize::from(DETAILS))
        .find(|(_, any)| text(any, TYPE_URL) == type_url)
        .map(|(_, any)| field(any, VALUE).unwrap_or_default())
}

/// The reason and its domain.
pub(crate) fn reason(details: &[u8]) -> Option<(&str, &str)> {
    let info = detail(details, ERROR_INFO)?;
    Some((text(info, REASON), text(info, DOMAIN)))
}

/// A fact of the `ErrorInfo`.
pub(crate) fn fact<'a>(details: &'a [u8], key: &str) -> Option<&'a str> {
    fields(detail(details, ERROR_INFO)?)
        .filter(|(number, _)| *number == usize::from(METADATA))
        .find(|(_, entry)| text(entry, ENTRY_KEY) == key)
        .map(|(_, entry)| text(entry, ENTRY_VALUE))
}

/// When to try again.
pub(crate) fn retry_after(details: &[u8]) -> Option<Duration> {
    let delay = field(detail(details, RETRY_INFO)?, RETRY_DELAY)?;
    let delay = prost_types::Duration::decode(delay).ok()?;
    // One that is over is none to wait for.
    Some(delay.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests;
