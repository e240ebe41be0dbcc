//! Resolving names for the client: what it gets to connect to are exactly the addresses that were
//! checked, so a name that answers differently the second time gains nothing.

use std::net::IpAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Policy, Refused};

/// A resolver that returns checked addresses only.
pub(super) struct Checked {
    policy: Policy,
    rule: fn(&Policy, IpAddr) -> bool,
}

impl Checked {
    /// For https: public addresses and those that the operator allows.
    pub(super) fn secure(policy: &Policy) -> Self {
        Self { policy: policy.clone(), rule: Policy::allows }
    }

    /// For plain http: those that the operator allows.
    pub(super) fn plain(policy: &Policy) -> Self {
        Self { policy: policy.clone(), rule: Policy::excepts }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, rule) = (self.policy.clone(), self.rule);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<_> = found.map_err(|_| Refused::Unresolved)?.collect();
            if found.is_empty() {
                return Err(Refused::Unresolved.into());
            }
            // One forbidden address among others is no accident: nothing of it is used.
            if !found.iter().all(|to| rule(&policy, to.ip())) {
                return Err(Refused::Forbidden.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
