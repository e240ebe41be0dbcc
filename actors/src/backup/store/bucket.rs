//! A bucket of a store that speaks S3: requests, their signatures, and what refusals mean.
//!
//! The endpoint is the operator's choice, so it may be anywhere, and what is sent there is
//! encrypted already. Every request carries its signature in its address, so addresses are never
//! shown; it is signed with the keys of that moment. It blocks, on threads that may. Invariant:
//! neither the secret nor a signature leaves this file but towards the store.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use rusty_s3::{
    Credentials, S3Action, UrlStyle,
    actions::{CreateMultipartUpload, ListObjectsV2, list_objects_v2::ListObjectsV2Response},
};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use zeroize::Zeroizing;

use super::{
    super::made::Backup,
    Stop,
    refusal::{Error, code, refusal},
};
use crate::runtime::fetcher;

/// How long a signature counts: as much as clocks may differ, and no longer.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// How long a request without a large body may take.
const SHORT: Duration = Duration::from_secs(10);
/// How long one part of an upload may take.
const LONG: Duration = Duration::from_secs(10 * 60);
/// How long a node that ends waits for what it tells the store.
const ENDING: Duration = Duration::from_millis(700);
/// How often a request is tried that the store did not answer.
const TRIES: u32 = 3;
/// The first pause between two tries; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// Most bytes of an answer that is not a backup.
const ANSWER_MAX: usize = 16 << 20;
/// Most pages of a list, of a thousand each.
const PAGES_MAX: usize = 1_000;
/// The header by which a store refuses a part that was damaged on its way. S3 always had it;
/// newer ones of its kind have to be announced when an upload begins, which some stores refuse.
const CHECKSUM: &str = "content-md5";

/// How a bucket is named in addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Behind the host, as its first folder.
    Path,
    /// In front of the host, as a part of its name.
    Host,
}

/// Who asks, and what proves it.
#[derive(Clone)]
pub struct Keys {
    /// Who asks.
    pub access_key_id: String,
    /// What proves it.
    pub secret_access_key: Zeroizing<String>,
}

/// Finds the keys as they are now; the error is one line that says why there are none.
pub type FindKeys = Arc<dyn Fn() -> Result<Keys, String> + Send + Sync>;

/// Which bucket, where, and with which rights.
#[derive(Clone)]
pub struct Settings {
    /// The bucket's name.
    pub name: String,
    /// What the names of all backups there begin with; empty, or folders without slashes around.
    pub prefix: String,
    /// Scheme, host and port of the store.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// How the bucket is named in addresses.
    pub style: Style,
    /// Asked for each request, because whoever runs the node may exchange them.
    pub keys: FindKeys,
}

/// What is below a prefix of a bucket.
pub struct Bucket {
    bucket: rusty_s3::Bucket,
    keys: FindKeys,
    /// Empty, or with a slash at its end.
    prefix: String,
    client: Client,
    runtime: Handle,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{prefix}", self.bucket.name())
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Bucket {
    pub(super) fn new(settings: &Settings, policy: &fetcher::Policy) -> Result<Self, String> {
        let endpoint: Url =
            settings.endpoint.parse().map_err(|error| format!("BACKUP_S3_ENDPOINT: {error}"))?;
        let style = match settings.style {
            Style::Path => UrlStyle::Path,
            Style::Host => UrlStyle::VirtualHost,
        };
        let (name, region) = (settings.name.clone(), settings.region.clone());
        let bucket = rusty_s3::Bucket::new(endpoint, style, name, region);
        let prefix = settings.prefix.trim_matches('/');
        Ok(Self {
            bucket: bucket
                .map_err(|error| format!("BACKUP_S3_URL, BACKUP_S3_ENDPOINT: {error}"))?,
            keys: settings.keys.clone(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            client: fetcher::of_operator(policy).map_err(|error| error.to_string())?,
            runtime: Handle::current(),
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        let keys = (self.keys)().map_err(Error::Keys)?;
        Ok(Credentials::new(keys.access_key_id, keys.secret_access_key.as_str()))
    }

    /// The finished ones, in no order.
    pub(super) fn kept(&self, stop: &Stop) -> Result<Vec<Backup>, Error> {
        let (mut kept, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.page(next.take(), stop)?;
            for found in page.contents {
                let name = found.key.strip_prefix(&self.prefix);
                let backup = name.and_then(Backup::parse);
                kept.extend(backup.map(|backup| Backup { bytes: found.size, ..backup }));
            }
            next = page.next_continuation_token;
            if next.is_none() {
                return Ok(kept);
            }
        }
        Err(Error::Answered("with a list that has no end".into()))
    }

    fn page(&self, after: Option<String>, stop: &Stop) -> Result<ListObjectsV2Response, Error> {
        let (begin, credentials) = (self.key("vaultara-"), self.credentials()?);
        let response = self.answer(stop, SHORT, || {
            let mut list = self.bucket.list_objects_v2(Some(&credentials));
            list.with_prefix(begin.as_str());
            if let Some(token) = &after {
                list.with_continuation_token(token.as_str());
            }
            self.client.get(list.sign(SIGNED_FOR))
        })?;
        let text = self.text(response)?;
        ListObjectsV2::parse_response(&text).map_err(|error| unexpected("a list", &error))
    }

    /// Removes one; stores do not tell whether it was there.
    pub(super) fn remove(&self, name: &str, stop: &Stop) -> Result<(), Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let removed = self.answer(stop, SHORT, || {
            let delete = self.bucket.delete_object(Some(&credentials), &key);
            self.client.delete(delete.sign(SIGNED_FOR))
        });
        forgiving(removed)
    }

    /// Begins an upload; what the store calls it.
    pub(super) fn begin(&self, name: &str, stop: &Stop) -> Result<String, Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let response = self.answer(stop, SHORT, || {
            let create = self.bucket.create_multipart_upload(Some(&credentials), &key);
            self.client.post(create.sign(SIGNED_FOR))
        })?;
        let text = self.text(response)?;
        let begun = CreateMultipartUpload::parse_response(&text);
        let begun = begun.map_err(|error| unexpected("the beginning of an upload", &error))?;
        Ok(begun.upload_id().to_owned())
    }

    /// Sends one part, numbered from 1; the tag that the store gave it.
    pub(super) fn send(
        &self,
        name: &str,
        (upload, number): (&str, u16),
        part: &Bytes,
        stop: &Stop,
    ) -> Result<String, Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let checksum = STANDARD.encode(Md5::digest(part));
        let response = self.answer(stop, LONG, || {
            let mut send = self.bucket.upload_part(Some(&credentials), &key, number, upload);
            send.headers_mut().insert(CHECKSUM, checksum.as_str());
            let request = self.client.put(send.sign(SIGNED_FOR));
            request.header(CHECKSUM, checksum.as_str()).body(part.clone())
        })?;
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let missing = || Error::Answered("without a tag for a part".into());
        Ok(tag.ok_or_else(missing)?.to_owned())
    }

    /// Makes a backup of the parts. An answer that got lost does not mean that it was not made.
    pub(super) fn complete(
        &self,
        name: &str,
        (upload, tags): (&str, &[String]),
        bytes: u64,
        stop: &Stop,
    ) -> Result<(), Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let ask = || {
            let done = self.answer(stop, LONG, || {
                let credentials = Some(&credentials);
                let tags = tags.iter().map(String::as_str);
                let complete =
                    self.bucket.complete_multipart_upload(credentials, &key, upload, tags);
                let address = complete.sign(SIGNED_FOR);
                self.client.post(address).body(complete.body())
            });
            done.and_then(|response| self.text(response)).and_then(|text| {
                // An error may stand in an answer that says it went well.
                code(&text).map_or(Ok(()), |code| Err(refusal(StatusCode::OK, &code)))
            })
        };
        let mut done = ask();
        for tried in 1..TRIES {
            if !matches!(done, Err(Error::Unreachable(_))) {
                break;
            }
            self.pause(tried);
            done = ask();
        }
        match done {
            Err(why) if self.length(name, stop).ok() != Some(Some(bytes)) => Err(why),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// How long one is, as far as the store says so.
    fn length(&self, name: &str, stop: &Stop) -> Result<Option<u64>, Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let response = self.answer(stop, SHORT, || {
            let head = self.bucket.head_object(Some(&credentials), &key);
            self.client.head(head.sign(SIGNED_FOR))
        })?;
        let length = response.headers().get(header::CONTENT_LENGTH);
        Ok(length.and_then(|length| length.to_str().ok()?.parse().ok()))
    }

    /// Gives an upload up, and frees what it took; a node that ends asks for it once and briefly.
    pub(super) fn abort(&self, name: &str, upload: &str, stop: &Stop) -> Result<(), Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let request = || {
            let credentials = Some(&credentials);
            let abort = self.bucket.abort_multipart_upload(credentials, &key, upload);
            self.client.delete(abort.sign(SIGNED_FOR))
        };
        forgiving(self.runtime.block_on(async {
            match stop.check() {
                Ok(()) => tried(SHORT, request).await,
                Err(_) => judged(request().timeout(ENDING).send().await).await,
            }
        }))
    }

    /// Opens one from a byte on.
    pub(super) fn open(&self, name: &str, from: u64) -> Result<Response, Error> {
        let (key, credentials) = (self.key(name), self.credentials()?);
        let get = self.bucket.get_object(Some(&credentials), &key);
        let response = self.runtime.block_on(async {
            let request = self.client.get(get.sign(SIGNED_FOR));
            let request = request.header(header::RANGE, format!("bytes={from}-"));
            match timeout(SHORT, request.send()).await {
                Ok(sent) => judged(sent).await,
                Err(_) => Err(Error::Unreachable("it takes too long".into())),
            }
        })?;
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        if from > 0 && !partial {
            return Err(Error::Answered("from the beginning instead of where it broke off".into()));
        }
        Ok(response)
    }

    /// The next piece of what is read.
    pub(super) fn piece(&self, response: &mut Response) -> Result<Option<Bytes>, Error> {
        match self.runtime.block_on(async { timeout(SHORT, response.chunk()).await }) {
            Ok(piece) => piece.map_err(unreachable),
            Err(_) => Err(Error::Unreachable("it takes too long".into())),
        }
    }

    /// Waits before something is tried again.
    pub(super) fn pause(&self, tried: u32) {
        self.runtime.block_on(sleep(PAUSE.saturating_mul(1 << tried.min(6))));
    }

    /// Asks until there is an answer, or it is clear that there is none.
    fn answer(
        &self,
        stop: &Stop,
        most: Duration,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, Error> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.told() => Err(Error::Ending),
                answer = tried(most, request) => answer,
            }
        })
    }

    fn text(&self, response: Response) -> Result<String, Error> {
        self.runtime.block_on(text(response))
    }
}

async fn tried(most: Duration, request: impl Fn() -> RequestBuilder) -> Result<Response, Error> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match judged(request().timeout(most).send().await).await {
            Err(Error::Unreachable(_)) => {}
            answer => return answer,
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
    judged(request().timeout(most).send().await).await
}

async fn judged(sent: reqwest::Result<Response>) -> Result<Response, Error> {
    let response = sent.map_err(unreachable)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = text(response).await.unwrap_or_default();
    Err(refusal(status, code(&text).as_deref().unwrap_or_default()))
}

/// What is gone already need not be removed.
fn forgiving(answer: Result<Response, Error>) -> Result<(), Error> {
    match answer {
        Ok(_) | Err(Error::NoBackup) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn text(mut response: Response) -> Result<String, Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(unreachable)? {
        if body.len().saturating_add(piece.len()) > ANSWER_MAX {
            return Err(Error::Answered("with too much".into()));
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|_| Error::Answered("with no text".into()))
}

/// Without the address, which holds a signature.
fn unreachable(error: reqwest::Error) -> Error {
    Error::Unreachable(fetcher::in_full(&error.without_url()))
}

fn unexpected(what: &str, error: &dyn fmt::Display) -> Error {
    Error::Answered(format!("with something else than {what}: {error}"))
}
