//! A reply with every outcome, rejection and refusal.

use std::collections::BTreeSet;

use identity::{
    grants::Issued,
    keys::Algorithm,
    oauth::refresh::{Handover, Refreshed},
    outcome::{
        CodeRefusal, IssueRefusal, LicenseRefusal, Outcome, ProofRefusal, RefreshRefusal, Refusal,
        Rejection, Reply,
    },
    secret::Sealed,
};

use crate::{
    Sample,
    labels::labels,
    records::{AT, CLIENT, GRANT, SAGA, SESSION, USER, sealed},
    sample,
};

type Answer = Result<Outcome, Rejection>;

labels!(label, LABELS, Answer, {
    Ok(Outcome::Done) => "done",
    Ok(Outcome::Written { .. }) => "written",
    Ok(Outcome::Saga(_)) => "saga",
    Ok(Outcome::Issued(_)) => "issued",
    Ok(Outcome::Refused(Refusal::CodeReplayed)) => "code-replayed",
    Ok(Outcome::Refused(Refusal::RefreshReplayed)) => "refresh-replayed",
    Ok(Outcome::Swept(_)) => "swept",
    Ok(Outcome::Refreshed(_)) => "refreshed",
    Ok(Outcome::Joined { .. }) => "joined",
    Err(Rejection::NotFound) => "not-found",
    Err(Rejection::AlreadyExists(_)) => "already-exists",
    Err(Rejection::Stale) => "stale",
    Err(Rejection::Denied(_)) => "denied",
    Err(Rejection::Invalid { .. }) => "invalid",
    Err(Rejection::Expired) => "expired",
    Err(Rejection::SetupClosed) => "setup-closed",
    Err(Rejection::SetupOpen) => "setup-open",
    Err(Rejection::BootstrapSecret) => "bootstrap-secret",
    Err(Rejection::IdempotencyMismatch) => "idempotency-mismatch",
    Err(Rejection::Issue(IssueRefusal::TenantDisabled)) => "issue-tenant-disabled",
    Err(Rejection::Issue(IssueRefusal::ClientDisabled)) => "issue-client-disabled",
    Err(Rejection::Issue(IssueRefusal::UserDisabled)) => "issue-user-disabled",
    Err(Rejection::Issue(IssueRefusal::GrantType)) => "issue-grant-type",
    Err(Rejection::Issue(IssueRefusal::Scope)) => "issue-scope",
    Err(Rejection::Issue(IssueRefusal::SessionEnded)) => "issue-session-ended",
    Err(Rejection::Issue(IssueRefusal::RedirectUri)) => "issue-redirect-uri",
    Err(Rejection::Issue(IssueRefusal::GrantEnded)) => "issue-grant-ended",
    Err(Rejection::Issue(IssueRefusal::LoginTooOld)) => "issue-login-too-old",
    Err(Rejection::Issue(IssueRefusal::Consent)) => "issue-consent",
    Err(Rejection::Code(CodeRefusal::Unknown)) => "code-unknown",
    Err(Rejection::Code(CodeRefusal::Expired)) => "code-expired",
    Err(Rejection::Code(CodeRefusal::Client)) => "code-client",
    Err(Rejection::Code(CodeRefusal::RedirectUri)) => "code-redirect-uri",
    Err(Rejection::Code(CodeRefusal::Verifier)) => "code-verifier",
    Err(Rejection::Code(CodeRefusal::Credential)) => "code-credential",
    Err(Rejection::Code(CodeRefusal::Key)) => "code-key",
    Err(Rejection::Protected(_)) => "protected",
    Err(Rejection::FeatureLevel) => "feature-level",
    Err(Rejection::Poison) => "poison",
    Err(Rejection::Refresh(RefreshRefusal::Unknown)) => "refresh-unknown",
    Err(Rejection::Refresh(RefreshRefusal::Client)) => "refresh-client",
    Err(Rejection::Refresh(RefreshRefusal::Expired)) => "refresh-expired",
    Err(Rejection::Refresh(RefreshRefusal::Ended)) => "refresh-ended",
    Err(Rejection::Refresh(RefreshRefusal::Superseded)) => "refresh-superseded",
    Err(Rejection::Refresh(RefreshRefusal::Credential)) => "refresh-credential",
    Err(Rejection::Refresh(RefreshRefusal::Target)) => "refresh-target",
    Err(Rejection::Refresh(RefreshRefusal::Key)) => "refresh-key",
    Err(Rejection::Throttled { .. }) => "throttled",
    Err(Rejection::Proof(ProofRefusal::Missing)) => "proof-missing",
    Err(Rejection::Proof(ProofRefusal::Expired)) => "proof-expired",
    Err(Rejection::Proof(ProofRefusal::Used)) => "proof-used",
    Err(Rejection::License(LicenseRefusal::Limit { .. })) => "license-limit",
    Err(Rejection::License(LicenseRefusal::Feature { .. })) => "license-feature",
    Err(Rejection::InUse(_)) => "in-use",
    Err(Rejection::JoinToken) => "join-token",
});

fn issued() -> Issued {
    Issued {
        grant: Some(GRANT),
        client: CLIENT,
        client_id: "web".into(),
        user: Some(USER),
        session: Some(SESSION),
        scopes: ["openid".into()].into(),
        nonce: Some("n".into()),
        authenticated_at_ms: Some(AT),
        api: true,
        access_token_s: 3600,
        id_token_s: 300,
        access_token_algorithm: Algorithm::Es256,
        id_token_algorithm: Algorithm::Rs256,
    }
}

fn refreshed(token: Handover) -> Outcome {
    Outcome::Refreshed(Box::new(Refreshed { issued: issued(), token }))
}

fn answers() -> Vec<Answer> {
    let mut all = vec![
        Ok(Outcome::Done),
        Ok(Outcome::Written { id: USER.bytes(), revision: 300 }),
        Ok(Outcome::Saga(SAGA)),
        Ok(Outcome::Issued(issued())),
        Ok(Outcome::Refused(Refusal::CodeReplayed)),
        Ok(Outcome::Refused(Refusal::RefreshReplayed)),
        Ok(Outcome::Swept(300)),
        Ok(refreshed(Handover::Rotated(sealed()))),
        Ok(Outcome::Joined { node: 300 }),
        Err(Rejection::NotFound),
        Err(Rejection::AlreadyExists("username".into())),
        Err(Rejection::Stale),
        Err(Rejection::Denied("users:write".into())),
        Err(Rejection::invalid("/name", "must not be empty")),
        Err(Rejection::Expired),
        Err(Rejection::SetupClosed),
        Err(Rejection::SetupOpen),
        Err(Rejection::BootstrapSecret),
        Err(Rejection::IdempotencyMismatch),
        Err(Rejection::Protected("it is the last one".into())),
        Err(Rejection::FeatureLevel),
        Err(Rejection::Poison),
        Err(Rejection::Throttled { until_ms: AT }),
        Err(Rejection::InUse("roles hold it".into())),
        Err(Rejection::JoinToken),
    ];
    let issue = [
        IssueRefusal::TenantDisabled,
        IssueRefusal::ClientDisabled,
        IssueRefusal::UserDisabled,
        IssueRefusal::GrantType,
        IssueRefusal::Scope,
        IssueRefusal::SessionEnded,
        IssueRefusal::RedirectUri,
        IssueRefusal::GrantEnded,
        IssueRefusal::LoginTooOld,
        IssueRefusal::Consent,
    ];
    all.extend(issue.map(|refusal| Err(Rejection::Issue(refusal))));
    let refresh = [
        RefreshRefusal::Unknown,
        RefreshRefusal::Client,
        RefreshRefusal::Expired,
        RefreshRefusal::Ended,
        RefreshRefusal::Superseded,
        RefreshRefusal::Credential,
        RefreshRefusal::Target,
        RefreshRefusal::Key,
    ];
    all.extend(refresh.map(|refusal| Err(Rejection::Refresh(refusal))));
    let code = [
        CodeRefusal::Unknown,
        CodeRefusal::Expired,
        CodeRefusal::Client,
        CodeRefusal::RedirectUri,
        CodeRefusal::Verifier,
        CodeRefusal::Credential,
        CodeRefusal::Key,
    ];
    all.extend(code.map(|refusal| Err(Rejection::Code(refusal))));
    let proof = [ProofRefusal::Missing, ProofRefusal::Expired, ProofRefusal::Used];
    all.extend(proof.map(|refusal| Err(Rejection::Proof(refusal))));
    let license = String::from("free");
    let license = [
        LicenseRefusal::Limit { resource: "users".into(), limit: 10, license: license.clone() },
        LicenseRefusal::Feature { feature: "saml".into(), license },
    ];
    all.extend(license.map(|refusal| Err(Rejection::License(refusal))));
    all
}

fn reply(result: Answer, replayed: Option<Option<Sealed>>) -> Reply {
    Reply { index: 70_000, ordinal: 1023, at_ms: AT, result, replayed }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut covered = BTreeSet::new();
    let mut all = Vec::new();
    for answer in answers() {
        let label = label(&answer);
        covered.insert(label);
        all.push(sample(format!("reply-{label}"), reply(answer, None)));
    }
    let every: BTreeSet<&str> = LABELS.iter().copied().collect();
    assert_eq!(covered, every, "an answer has no sample");
    all.push(sample("reply-replayed", reply(Ok(Outcome::Done), Some(None))));
    let once = reply(Ok(Outcome::Done), Some(Some(sealed())));
    all.push(sample("reply-replayed-with-secret", once));
    let handovers = [
        ("begun", Handover::Begun),
        ("kept", Handover::Kept),
        ("same-successor", Handover::SameSuccessor(sealed())),
    ];
    for (name, token) in handovers {
        all.push(sample(format!("reply-refreshed-{name}"), reply(Ok(refreshed(token)), None)));
    }
    all
}
