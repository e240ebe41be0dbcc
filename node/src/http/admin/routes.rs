//! Routes and their description, built together so that neither can be without the other.
//!
//! A handler is taken only if its first argument is a [`Caller`]: a route that forgets to ask who
//! calls does not compile.
//!
//! ```compile_fail
//! use vaultara_node::http::admin::{Routes, describe::Operation};
//!
//! async fn open_to_everybody() -> &'static str {
//!     "secrets"
//! }
//! let operation = Operation::get("/api/v1/secrets", "secrets.list");
//! let _ = Routes::default().on(operation, open_to_everybody);
//! ```
//!
//! ```
//! use vaultara_node::http::admin::{
//!     Caller, Routes, caller::Read, describe::Operation, users::Users,
//! };
//!
//! async fn counted(_: Caller<Read<Users>>) -> &'static str {
//!     "7"
//! }
//! let path = "/api/v1/tenants/{tenant_id}/users/count";
//! let _ = Routes::default().on(Operation::get(path, "users.count"), counted);
//! ```

use actors::Context;
use axum::{Router, handler::Handler, middleware::from_fn_with_state, routing::MethodRouter};
use identity::table::Record as _;
use utoipa::openapi::{OpenApi, Paths, Tag};
use utoipa_axum::{PathItemExt as _, router::OpenApiRouter};

use crate::http::admin::{
    Caller, Needs, Resource,
    deprecation::ending,
    describe::{self, Operation},
    history, operations, position, restore, undo,
};

/// The arguments of a handler that asks who calls, first of all.
pub trait Guarded {
    /// What it needs.
    type Needs: Needs;
}

impl<M, N: Needs> Guarded for (M, Caller<N>) {
    type Needs = N;
}

impl<M, N: Needs, A> Guarded for (M, Caller<N>, A) {
    type Needs = N;
}

impl<M, N: Needs, A, B> Guarded for (M, Caller<N>, A, B) {
    type Needs = N;
}

impl<M, N: Needs, A, B, C> Guarded for (M, Caller<N>, A, B, C) {
    type Needs = N;
}

/// Routes of the administration API.
#[derive(Default)]
pub struct Routes(OpenApiRouter<Context>);

impl Routes {
    /// The routes of a resource: six, and two more where its revisions are kept.
    pub fn of<R: Resource>() -> Self {
        let routes = Self::about(R::NAME, R::ABOUT)
            .on(describe::list::<R>(), operations::list::<R>)
            .on(describe::create::<R>(), operations::create::<R>)
            .on(describe::read::<R>(), history::read::<R>)
            .on(describe::replace::<R>(), operations::replace::<R>)
            .on(describe::patch::<R>(), operations::patch::<R>)
            .on(describe::delete::<R>(), operations::delete::<R>);
        if !R::Record::HISTORY {
            return routes;
        }
        let routes = routes
            .on(describe::history::<R>(), history::revisions::<R>)
            .on(describe::undo::<R>(), undo::undo::<R>);
        if !R::RESTORABLE {
            return routes;
        }
        routes.on(describe::restore::<R>(), restore::restore::<R>)
    }

    /// No route yet, and what those to come are about.
    pub fn about(name: &str, about: &str) -> Self {
        let mut routes = Self::default();
        let mut tag = Tag::new(name);
        tag.description = Some(about.to_owned());
        routes.0.get_openapi_mut().tags = Some(vec![tag]);
        routes
    }

    /// One more route.
    #[must_use]
    pub fn on<H, T>(self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Context>,
        T: Guarded + 'static,
    {
        let described = operation.described(<T::Needs as Needs>::PERMISSION);
        let methods = MethodRouter::new().on(described.method.to_method_filter(), handler);
        let methods = ending(methods, described.deprecation);
        let mut paths = Paths::new();
        paths.add_path_operation(described.path, vec![described.method], described.operation);
        Self(self.0.routes((described.schemas, paths, methods)))
    }

    /// These and those.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }

    /// The router and the description of what it routes.
    pub fn split(self, ctx: Context) -> (Router, OpenApi) {
        let stamped = from_fn_with_state(ctx.clone(), position::stamp);
        let (router, description) = self.0.with_state(ctx).split_for_parts();
        (router.layer(stamped), description)
    }

    /// The description alone.
    pub fn description(self) -> OpenApi {
        self.0.into_openapi()
    }
}
