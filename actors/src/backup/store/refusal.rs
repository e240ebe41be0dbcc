//! What it means for whoever runs a node when a store does not do as it was asked.

use std::io;

use reqwest::StatusCode;

/// Why the store did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This node is about to end.
    #[error("it was broken off, because the node ends")]
    Ending,
    /// It is not known any more who asks.
    #[error("the keys of the store are not to be had: {0}")]
    Keys(String),
    /// There was no answer.
    #[error(
        "the store gives no answer ({0}): check BACKUP_S3_ENDPOINT, and EGRESS_CA_FILE if its \
         certificate is of an authority of your own"
    )]
    Unreachable(String),
    /// It does not believe who asks, or that they may.
    #[error(
        "the store refuses ({0}): check BACKUP_S3_ACCESS_KEY_ID, BACKUP_S3_SECRET_ACCESS_KEY, and \
         that this key may list, read, write and delete there"
    )]
    Denied(String),
    /// Its clock and this machine's differ.
    #[error("the store says that this machine's clock is wrong: set it")]
    Clock,
    /// There is no such bucket.
    #[error("the store has no bucket of that name: make it, or correct BACKUP_S3_URL")]
    NoBucket,
    /// There is no such backup.
    #[error("the store has no backup of that name")]
    NoBackup,
    /// The bucket is in another region.
    #[error("the store says that the bucket is elsewhere: check BACKUP_S3_REGION and the endpoint")]
    Elsewhere,
    /// Anything else.
    #[error("the store answered {0}")]
    Answered(String),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// What a refusal means for whoever runs the node.
pub(super) fn refusal(status: StatusCode, code: &str) -> Error {
    let said = if code.is_empty() { status.as_str() } else { code };
    match (said, status.as_u16()) {
        ("NoSuchBucket", _) => Error::NoBucket,
        ("RequestTimeTooSkewed" | "RequestExpired", _) => Error::Clock,
        ("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed", _)
        | (_, 301 | 302 | 307 | 308) => Error::Elsewhere,
        (_, 401 | 403) => Error::Denied(said.to_owned()),
        (_, 404) => Error::NoBackup,
        (
            // What was damaged or cut off on the way may arrive whole the next time.
            "InternalError" | "SlowDown" | "ServiceUnavailable" | "RequestTimeout"
            | "OperationAborted" | "BadDigest" | "IncompleteBody",
            _,
        )
        | (_, 408 | 429 | 500..) => Error::Unreachable(format!("it answers {said}")),
        (_, status) => Error::Answered(format!("{status} {code}")),
    }
}

/// The word that a store gives for what is wrong.
pub(super) fn code(text: &str) -> Option<String> {
    let (_, error) = text.split_once("<Error")?;
    let (_, code) = error.split_once("<Code>")?;
    let (code, _) = code.split_once("</Code>")?;
    Some(code.chars().filter(char::is_ascii_alphanumeric).take(64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code></Error>";
        let refused = refusal(StatusCode::FORBIDDEN, &code(body).unwrap()).to_string();
        assert!(refused.contains("SignatureDoesNotMatch"), "{refused}");
        assert!(refused.contains("BACKUP_S3_SECRET_ACCESS_KEY"), "{refused}");
        for (status, code, wanted) in [
            (404, "NoSuchBucket", "BACKUP_S3_URL"),
            (404, "NoSuchKey", "no backup"),
            (301, "", "BACKUP_S3_REGION"),
            (400, "AuthorizationHeaderMalformed", "BACKUP_S3_REGION"),
            (403, "RequestTimeTooSkewed", "clock"),
            (403, "", "403"),
            (503, "SlowDown", "SlowDown"),
            (400, "RequestTimeout", "no answer"),
            (400, "BadDigest", "BadDigest"),
            (400, "IncompleteBody", "no answer"),
            (200, "InternalError", "no answer"),
            (400, "EntityTooSmall", "400 EntityTooSmall"),
        ] {
            let shown = refusal(StatusCode::from_u16(status).unwrap(), code).to_string();
            assert!(shown.contains(wanted), "{status} {code}: {shown}");
        }
        assert_eq!(code("<ListBucketResult><Code>x</Code>"), None);
    }
}
