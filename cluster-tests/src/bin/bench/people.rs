//! Accounts for the load: one for each person, made over the administration API.
//!
//! Attempts at one account are counted before the password is compared, so several people at once
//! with the same name from unknown browsers are an attack to the server, not a load.

use vaultara_cluster_tests::{
    Failure,
    api::{Api, Written},
};

use crate::server::Server;

/// Their password.
pub(crate) const PASSWORD: &str = "a long password of the bench's people";

/// Makes people of the demo tenant and gives their names.
pub(crate) async fn make(server: &Server, number: usize) -> Result<Vec<String>, Failure> {
    let api = Api::on(server.address.port(), &server.url).await?;
    let mut names = Vec::new();
    for number in 0..number {
        let name = format!("person-{number}");
        match api.create_person(&name, PASSWORD).await {
            Written::Done { .. } => names.push(name),
            other => return Err(format!("{name} was not made: {other:?}")),
        }
    }
    Ok(names)
}
