//! A small client of the administration API: an administrator's token, users and clients of tenant
//! `demo`.
//!
//! Single writes and what is asked to learn who leads are asked once: who calls decides what an
//! unknown outcome means. Everything else is asked again while it is refused for want of a leader,
//! which changed nothing, as whoever uses the API is told to.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{Failure, during, history::Answer, process::Launch};

/// Longer than any answer may take, also with a slow disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long somebody may have to come to lead on a busy machine.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const SUCCESS: RangeInclusive<u16> = 200..=299;

/// A client with a token.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    base: String,
    token: String,
    users: String,
    clients: String,
    sessions: String,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Acknowledged: the user's id and revision.
    Done {
        /// Its id.
        id: String,
        /// Its revision.
        revision: u64,
    },
    /// Perhaps: no answer, or one that says so.
    Unknown,
    /// Refused, with what was said.
    Refused(String),
}

/// A user as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its name.
    pub username: String,
    /// The profile's `nickname`: what writers change.
    pub nickname: String,
    /// Its revision.
    pub revision: u64,
}

fn user(value: &Value) -> Option<User> {
    Some(User {
        id: value.get("id")?.as_str()?.to_owned(),
        username: value.get("username")?.as_str()?.to_owned(),
        nickname: value.pointer("/profile/nickname").and_then(Value::as_str).unwrap_or("").into(),
        revision: value.get("revision")?.as_u64()?,
    })
}

/// The body of a user with this content.
fn body(username: &str, nickname: &str) -> Value {
    json!({ "username": username, "enabled": true, "profile": { "nickname": nickname } })
}

impl Api {
    /// Gets a token of `admin-demo` and finds tenant `demo`.
    ///
    /// # Errors
    /// The node does not answer as it should.
    pub async fn open(launch: &Launch) -> Result<Self, Failure> {
        Self::on(launch.port, &launch.external_url).await
    }

    /// As [`Api::open`], for a node that was started otherwise.
    ///
    /// # Errors
    /// As [`Api::open`].
    pub async fn on(port: u16, external_url: &str) -> Result<Self, Failure> {
        let http = Client::builder().timeout(ANSWER_WITHIN).build().map_err(during("client"))?;
        let base = format!("http://127.0.0.1:{port}");
        let resource = format!("{external_url}/api");
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", resource.as_str()),
            ("scope", "read write platform"),
        ];
        let asked = http
            .post(format!("{base}/oauth/token"))
            .basic_auth("admin-demo", Some(actors::demo::ADMIN_SECRET))
            .form(&form);
        let (status, answer) = send(asked).await?;
        let token = answer
            .get("access_token")
            .and_then(Value::as_str)
            .ok_or_else(|| format!("no token: {status} {answer}"))?
            .to_owned();
        let (users, clients, sessions) = Default::default();
        let mut api = Self { http, base, token, users, clients, sessions };
        let (status, tenants) = api.decided("/api/v1/tenants?limit=500").await?;
        let items = tenants.get("items").and_then(Value::as_array);
        let demo = items
            .into_iter()
            .flatten()
            .find(|one| one.get("slug").and_then(Value::as_str) == Some(actors::demo::TENANT));
        let id = demo
            .and_then(|one| one.get("id")?.as_str())
            .ok_or_else(|| format!("no tenant demo: {status} {tenants}"))?;
        api.users = format!("/api/v1/tenants/{id}/users");
        api.clients = format!("/api/v1/tenants/{id}/clients");
        api.sessions = format!("/api/v1/tenants/{id}/sessions");
        Ok(api)
    }

    /// The same client for a copy of the node at another port.
    pub fn at(&self, launch: &Launch) -> Self {
        Self { base: format!("http://127.0.0.1:{}", launch.port), ..self.clone() }
    }

    fn getting(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    fn posting(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token).json(body)
    }

    async fn decided(&self, path: &str) -> Result<(u16, Value), Failure> {
        decided(self.getting(path)).await
    }

    /// What stands at a path, asked once: for whoever looks who leads.
    ///
    /// # Errors
    /// Anything but 200.
    pub async fn look(&self, path: &str) -> Result<Value, Failure> {
        good(path, 200..=200, send(self.getting(path)).await?)
    }

    /// What stands at a path.
    ///
    /// # Errors
    /// Anything but 200.
    pub async fn read(&self, path: &str) -> Result<Value, Failure> {
        good(path, 200..=200, self.decided(path).await?)
    }

    /// Posts to a path.
    ///
    /// # Errors
    /// Anything but success.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        good(path, SUCCESS, decided(self.posting(path, body)).await?)
    }

    /// As [`Api::post`], asked once: for what takes effect later than it is answered.
    ///
    /// # Errors
    /// Anything but success.
    pub async fn post_once(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        good(path, SUCCESS, send(self.posting(path, body)).await?)
    }

    async fn write(&self, method: Method, path: &str, key: &str, body: &Value) -> Written {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .header("idempotency-key", key)
            .json(body);
        let Ok((status, answer)) = send(request).await else { return Written::Unknown };
        match (status, user(&answer)) {
            (200 | 201, Some(User { id, revision, .. })) => Written::Done { id, revision },
            (500.., _) => Written::Unknown,
            _ => Written::Refused(format!("{status} {answer}")),
        }
    }

    /// Makes a user.
    pub async fn create(&self, username: &str, key: &str) -> Written {
        self.write(Method::POST, &self.users, key, &body(username, "0")).await
    }

    /// Makes a user who can sign in.
    pub async fn create_person(&self, username: &str, password: &str) -> Written {
        let body = json!({ "username": username, "password": password });
        self.write(Method::POST, &self.users, username, &body).await
    }

    /// Replaces a user's content.
    pub async fn replace(&self, id: &str, username: &str, nickname: &str, key: &str) -> Written {
        let path = format!("{}/{id}", self.users);
        self.write(Method::PUT, &path, key, &body(username, nickname)).await
    }

    /// Replaces a user's content if it is at this revision (`If-Match`).
    pub async fn replace_if(&self, user: &User, nickname: &str, revision: u64) -> Answer {
        let request = self
            .http
            .put(format!("{}{}/{}", self.base, self.users, user.id))
            .bearer_auth(&self.token)
            .header("if-match", format!("\"{revision}\""))
            .json(&body(&user.username, nickname));
        match send(request).await {
            Ok((200, _)) => Answer::Done,
            // The user is there: who does not know it knows no revision either.
            Ok((404 | 412, _)) => Answer::Failed,
            _ => Answer::Unknown,
        }
    }

    /// The revision of a user; unknown only where the node says that it cannot say it.
    pub async fn revision(&self, id: &str) -> Answer {
        match send(self.getting(&format!("{}/{id}", self.users))).await {
            Ok((200, found)) => {
                user(&found).map_or(Answer::Failed, |user| Answer::Value(user.revision))
            }
            Ok((503, _)) | Err(_) => Answer::Unknown,
            Ok(_) => Answer::Failed,
        }
    }

    /// Changes a client by its `client_id`.
    ///
    /// # Errors
    /// The node does not do it.
    pub async fn patch_client(&self, client_id: &str, patch: &Value) -> Result<(), Failure> {
        let request = self
            .http
            .patch(self.client(client_id).await?)
            .bearer_auth(&self.token)
            .header("content-type", "application/merge-patch+json")
            .body(patch.to_string());
        done(request).await
    }

    /// Replaces a part of a client, `logout-rules` or `consent-rules`.
    ///
    /// # Errors
    /// The node does not do it.
    pub async fn replace_part_of_client(
        &self,
        client_id: &str,
        part: &str,
        body: &Value,
    ) -> Result<(), Failure> {
        let url = format!("{}/{part}", self.client(client_id).await?);
        done(self.http.put(url).bearer_auth(&self.token).json(body)).await
    }

    /// The address of a client.
    async fn client(&self, client_id: &str) -> Result<String, Failure> {
        let path = format!("{}?filter=client_id%20eq%20%22{client_id}%22", self.clients);
        let (status, found) = self.decided(&path).await?;
        let id = found.pointer("/items/0/id").and_then(Value::as_str);
        let id = id.ok_or_else(|| format!("no client {client_id}: {status} {found}"))?;
        Ok(format!("{}{}/{id}", self.base, self.clients))
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// The node does not do it.
    pub async fn end_sessions(&self, user: &str) -> Result<(), Failure> {
        self.delete(&format!("{}/{user}/sessions", self.users)).await
    }

    /// Deletes what stands at a path.
    ///
    /// # Errors
    /// Anything but success.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        let url = format!("{}{path}", self.base);
        let answer = decided(self.http.delete(url).bearer_auth(&self.token)).await?;
        good(path, SUCCESS, answer).map(drop)
    }

    /// Where users are made, and the token that may.
    pub fn creating(&self) -> (String, String) {
        (self.users.clone(), self.token.clone())
    }

    /// Where a session is ended, and the token that may.
    pub fn session(&self, id: &str) -> (String, &str) {
        (format!("{}/{id}", self.sessions), &self.token)
    }

    /// Every user of the tenant, page by page.
    ///
    /// # Errors
    /// The node does not answer as it should.
    pub async fn users(&self) -> Result<Vec<User>, Failure> {
        let mut found = Vec::new();
        let mut path = format!("{}?limit=500", self.users);
        loop {
            let (status, page) = self.decided(&path).await?;
            let items = page.get("items").and_then(Value::as_array);
            let items = items.ok_or_else(|| format!("no list of users: {status} {page}"))?;
            for item in items {
                found.push(user(item).ok_or_else(|| format!("not a user: {item}"))?);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => path = format!("{}?limit=500&cursor={cursor}", self.users),
                None => return Ok(found),
            }
        }
    }
}

/// What an answer says whose status is as it should be.
fn good(
    path: &str,
    expected: RangeInclusive<u16>,
    (status, answer): (u16, Value),
) -> Result<Value, Failure> {
    if expected.contains(&status) {
        return Ok(answer);
    }
    Err(format!("{path}: {status} {answer}"))
}

/// A change that must be done.
async fn done(request: RequestBuilder) -> Result<(), Failure> {
    match decided(request).await? {
        (200, _) => Ok(()),
        (status, answer) => Err(format!("nothing was changed: {status} {answer}")),
    }
}

/// An answer of somebody who could decide: nobody could, and nothing was changed, where it says
/// that the service is unavailable (docs/ERRORS.md).
async fn decided(request: RequestBuilder) -> Result<(u16, Value), Failure> {
    let began = Instant::now();
    loop {
        let again = request.try_clone().ok_or("a request that cannot be repeated")?;
        let (status, answer) = send(again).await?;
        let of_type = |kind: &Value| kind.as_str() == Some("/errors/unavailable");
        let refused = status == 503 && answer.get("type").is_some_and(of_type);
        if !refused || began.elapsed() > DECIDED_WITHIN {
            return Ok((status, answer));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn send(request: RequestBuilder) -> Result<(u16, Value), Failure> {
    let response = request.send().await.map_err(during("ask the node"))?;
    let status = response.status().as_u16();
    // Whole or not at all: an answer cut short is no answer.
    let bytes = response.bytes().await.map_err(during("read the answer"))?;
    if bytes.is_empty() {
        return Ok((status, Value::Null));
    }
    let value = serde_json::from_slice(&bytes).map_err(during("read the answer"))?;
    Ok((status, value))
}
