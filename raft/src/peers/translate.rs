//! The way between openraft's messages and ours.

use std::io;

use openraft::{
    EntryPayload,
    entry::RaftEntry as _,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest,
        VoteResponse,
    },
};

use super::message::{Appended, EntryRow, PayloadRow, Request, Response, VoteAsk};
use crate::{
    encoding::{self, LogIdRow, VoteRow},
    types::{Binding, Entry, LogId, Payload},
};

fn row(id: Option<&LogId>) -> Option<LogIdRow> {
    id.map(Into::into)
}

fn entry_row(entry: &Entry) -> EntryRow {
    let payload = match &entry.payload {
        EntryPayload::Blank => PayloadRow::Blank,
        EntryPayload::Normal(Payload(bytes)) => PayloadRow::Normal(bytes.clone()),
        EntryPayload::Membership(members) => {
            PayloadRow::Membership(encoding::encode_membership(members).into())
        }
    };
    EntryRow { id: (&entry.log_id()).into(), payload }
}

fn entry(row: EntryRow) -> io::Result<Entry> {
    let payload = match row.payload {
        PayloadRow::Blank => EntryPayload::Blank,
        PayloadRow::Normal(bytes) => EntryPayload::Normal(Payload(bytes)),
        PayloadRow::Membership(bytes) => {
            EntryPayload::Membership(encoding::decode_membership(&bytes)?)
        }
    };
    Ok(Entry { log_id: row.id.into(), payload })
}

pub(crate) fn append(request: &AppendEntriesRequest<Binding>) -> Request {
    Request::Append {
        vote: (&request.vote).into(),
        previous: row(request.prev_log_id.as_ref()),
        entries: request.entries.iter().map(entry_row).collect(),
        commit: row(request.leader_commit.as_ref()),
    }
}

/// Entries must follow each other and what they stand behind: a gap would be written down as one
/// (openraft #1795).
pub(crate) fn to_append(
    vote: VoteRow,
    previous: Option<LogIdRow>,
    entries: Vec<EntryRow>,
    commit: Option<LogIdRow>,
) -> io::Result<AppendEntriesRequest<Binding>> {
    let prev_log_id: Option<LogId> = previous.map(Into::into);
    let entries = entries.into_iter().map(entry).collect::<io::Result<Vec<_>>>()?;
    let mut due = prev_log_id.as_ref().map_or(0, |id| id.index.saturating_add(1));
    for entry in &entries {
        if entry.index() != due {
            let what = format!("entry {} was sent where entry {due} was due", entry.index());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        due = due.saturating_add(1);
    }
    let leader_commit = commit.map(Into::into);
    Ok(AppendEntriesRequest { vote: vote.into(), prev_log_id, entries, leader_commit })
}

pub(crate) fn appended(response: AppendEntriesResponse<Binding>) -> Appended {
    match response {
        AppendEntriesResponse::Success => Appended::Success,
        AppendEntriesResponse::PartialSuccess(id) => Appended::Partial(row(id.as_ref())),
        AppendEntriesResponse::Conflict => Appended::Conflict,
        AppendEntriesResponse::HigherVote(vote) => Appended::HigherVote((&vote).into()),
    }
}

pub(crate) fn to_appended(appended: Appended) -> AppendEntriesResponse<Binding> {
    match appended {
        Appended::Success => AppendEntriesResponse::Success,
        Appended::Partial(id) => AppendEntriesResponse::PartialSuccess(id.map(Into::into)),
        Appended::Conflict => AppendEntriesResponse::Conflict,
        Appended::HigherVote(vote) => AppendEntriesResponse::HigherVote(vote.into()),
    }
}

pub(crate) fn vote(request: &VoteRequest<Binding>) -> VoteAsk {
    VoteAsk {
        vote: (&request.vote).into(),
        last: row(request.last_log_id.as_ref()),
        transfer: request.leadership_transfer,
    }
}

pub(crate) fn to_vote(ask: VoteAsk) -> VoteRequest<Binding> {
    let mut request = VoteRequest::new(ask.vote.into(), ask.last.map(Into::into));
    request.leadership_transfer = ask.transfer;
    request
}

pub(crate) fn voted(response: &VoteResponse<Binding>) -> Response {
    Response::Vote {
        vote: (&response.vote).into(),
        granted: response.vote_granted,
        last: row(response.last_log_id.as_ref()),
    }
}

pub(crate) fn transfer(request: &TransferLeaderRequest<Binding>) -> Request {
    Request::Transfer {
        from: request.from_leader().into(),
        to: *request.to_node_id(),
        last: row(request.last_log_id()),
    }
}
