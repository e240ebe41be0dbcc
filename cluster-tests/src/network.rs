//! A network of a test's own, in which what one node sends to another can be lost.
//!
//! A test runs itself again in a network namespace that holds nothing but a loopback. Every node
//! there has a group of its own, by which `nft` knows who sends; a connection is marked with who
//! began it, so that answers are known as well. Invariant: nothing outlives the namespace, and
//! nothing outside it is touched.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::{Failure, cluster::Cluster, during};

/// Set in a test that runs in a network of its own.
const INSIDE: &str = "OWN_NETWORK";
const GROUP_FIRST: u32 = 20_001;

/// Where a test finds itself.
#[derive(Debug)]
pub enum Entered {
    /// In a network of its own: it has to do its work.
    Inside,
    /// It was run there, and this came of it.
    Ran(Result<(), Failure>),
    /// This machine does not allow it, for this reason.
    NotAllowed(String),
}

/// Whether this process has a network of its own.
pub fn is_own() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the same test, by its full name, in a network of its own.
pub fn enter(test: &str) -> Entered {
    if is_own() {
        return Entered::Inside;
    }
    if let Err(reason) = allowed() {
        return Entered::NotAllowed(reason);
    }
    Entered::Ran(known(test).and_then(|()| again(&[test, "--exact", "--nocapture"])))
}

/// Whether this program has a test of this full name: asked for another one it would run none, and
/// say that all is well.
fn known(test: &str) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(during("find the program"))?;
    let listed = Command::new(program)
        .args([test, "--exact", "--list"])
        .stdin(Stdio::null())
        .output()
        .map_err(during("list the tests"))?;
    let wanted = format!("{test}: test");
    if String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == wanted) {
        return Ok(());
    }
    Err(format!("there is no test {test}"))
}

/// Whether there can be such a network.
///
/// # Errors
/// Why not.
pub fn allowed() -> Result<(), Failure> {
    let rules = "ip link set lo up && nft add table ip probe && \
                 nft 'add chain ip probe out { type filter hook output priority 0; }' && \
                 nft add rule ip probe out meta skgid 1 ct mark set 1";
    let tried = Command::new("unshare").args(["--net", "sh", "-c", rules]).output();
    let tried = tried.map_err(during("unshare"))?;
    if tried.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&tried.stderr);
    Err(format!("no network of its own: {}", said.lines().next().unwrap_or("refused")))
}

/// Runs this program again in a network of its own, with these arguments.
///
/// # Errors
/// It does not end with success.
pub fn again(arguments: &[&str]) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(during("find the program"))?;
    let status = Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(program)
        .args(arguments)
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .status();
    let status = status.map_err(during("unshare"))?;
    if status.success() { Ok(()) } else { Err(format!("in a network of its own: {status}")) }
}

/// The group that a node runs as.
pub fn group(number: usize) -> u32 {
    GROUP_FIRST.saturating_add(u32::try_from(number).unwrap_or(u32::MAX))
}

/// How much of what is sent is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Everything.
    All,
    /// So many of a hundred packets, fewer than all.
    Percent(u8),
}

/// How a node is cut off from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing comes from it and nothing reaches it.
    Whole,
    /// What it sends is lost.
    Sending,
    /// What is sent to it is lost.
    Hearing,
}

/// The links between the nodes of a cluster. Everything is whole at first.
#[derive(Debug)]
pub struct Links {
    /// The cluster ports.
    ports: Vec<u16>,
}

fn nft(script: &str) -> Result<(), Failure> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(during("nft"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes()).map_err(during("nft"))?;
    }
    let output = child.wait_with_output().map_err(during("nft"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("nft: {} in {script}", String::from_utf8_lossy(&output.stderr)))
}

impl Links {
    /// The links between all nodes of a cluster; to be made anew when another one joins.
    ///
    /// # Errors
    /// `nft` refuses, or a node has no cluster port.
    pub fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let ports: Vec<u16> = cluster.ports()?;
        let all: Vec<String> = ports.iter().map(u16::to_string).collect();
        let all = all.join(", ");
        let mut script = String::from(
            "table ip links {}\ndelete table ip links\ntable ip links {\n\
             chain begun { type filter hook output priority -5; }\n\
             chain lost { type filter hook output priority 0; }\n}\n",
        );
        for number in 0..ports.len() {
            let (group, mark) = (group(number), number + 1);
            script += &format!(
                "add rule ip links begun meta skgid {group} tcp dport {{ {all} }} \
                 ct mark set {mark}\n"
            );
        }
        nft(&script)?;
        Ok(Self { ports })
    }

    /// What one node sends to another is lost.
    ///
    /// # Errors
    /// `nft` refuses.
    pub fn lose(&self, from: usize, to: usize, loss: Loss) -> Result<(), Failure> {
        let some = match loss {
            Loss::All => String::new(),
            Loss::Percent(percent) => format!("numgen random mod 100 < {percent} "),
        };
        let (Some(own), Some(other)) = (self.ports.get(from), self.ports.get(to)) else {
            return Err(format!("no link from {from} to {to}"));
        };
        let (group, mark) = (group(from), to + 1);
        nft(&format!(
            "add rule ip links lost meta skgid {group} tcp dport {other} {some}drop\n\
             add rule ip links lost ct mark {mark} tcp sport {own} {some}drop\n"
        ))
    }

    /// A node and the others hear nothing of each other.
    ///
    /// # Errors
    /// `nft` refuses.
    pub fn isolate(&self, number: usize) -> Result<(), Failure> {
        self.cut(number, Cut::Whole)
    }

    /// Cuts a node off, in one direction or in both.
    ///
    /// # Errors
    /// `nft` refuses.
    pub fn cut(&self, number: usize, cut: Cut) -> Result<(), Failure> {
        for other in (0..self.ports.len()).filter(|other| *other != number) {
            if cut != Cut::Hearing {
                self.lose(number, other, Loss::All)?;
            }
            if cut != Cut::Sending {
                self.lose(other, number, Loss::All)?;
            }
        }
        Ok(())
    }

    /// Nothing is lost any more.
    ///
    /// # Errors
    /// `nft` refuses.
    pub fn heal(&self) -> Result<(), Failure> {
        nft("flush chain ip links lost\n")
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn a_test_that_is_not_there_is_not_run() {
        assert_eq!(known("network::tests::a_test_that_is_not_there_is_not_run"), Ok(()));
        assert!(known("network::tests::a_test_that_is_not_there").is_err());
    }
}
