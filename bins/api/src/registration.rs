//! Registration of routes: the only way to serve one is to say which permission it needs. That
//! permission is checked before the handler runs, and stands in the API's description.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::MethodRouter;
use dilux_core::Error;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem, SecurityRequirement};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::app::App;
use crate::attest::{attest, note_denial};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::web::File;

/// Key of an operation's permission in the API's description.
const PERMISSION: &str = "x-permission";

/// Key that marks costly operations there.
const COSTLY: &str = "x-costly";

/// Routes, each with the permission that it needs.
#[derive(Default)]
pub(crate) struct Routes {
    /// For everybody.
    open: OpenApiRouter<App>,
    /// Behind the door.
    closed: OpenApiRouter<App>,
}

impl Routes {
    /// Adds what `routes!` gives: operations on one path that need the same permission.
    #[must_use]
    pub(crate) fn route(self, permission: Permission, router: UtoipaMethodRouter<App>) -> Self {
        self.add(permission, router, |methods| methods)
    }

    /// Adds operations that start work, call servers or read everything: there is a limit of its own
    /// on them.
    #[must_use]
    pub(crate) fn costly_route(
        self,
        permission: Permission,
        (schemas, mut paths, methods): UtoipaMethodRouter<App>,
    ) -> Self {
        for operation in paths.paths.values_mut().flat_map(operations) {
            let extensions = operation.extensions.get_or_insert_default();
            extensions.merge(Extensions::from_iter([(COSTLY, true)]));
        }
        self.add(permission, (schemas, paths, methods), |methods| {
            methods.route_layer(middleware::from_fn(admit_costly))
        })
    }

    /// Adds operations behind what decides whether they run: the permission first, then `limit`, then
    /// the note of what is about to be done.
    fn add(
        mut self,
        permission: Permission,
        (schemas, mut paths, methods): UtoipaMethodRouter<App>,
        limit: impl Fn(MethodRouter<App>) -> MethodRouter<App>,
    ) -> Self {
        for operation in paths.paths.values_mut().flat_map(operations) {
            describe(operation, permission);
        }
        if permission.is_public() {
            self.open = self.open.routes((schemas, paths, limit(methods)));
        } else {
            let methods = limit(methods.route_layer(middleware::from_fn(attest)));
            let methods = guarded(methods, permission);
            self.closed = self.closed.routes((schemas, paths, methods));
        }
        self
    }

    /// Adds a file of the dashboard: public, and no operation, so that it stands in no description.
    /// Nothing that reads or changes anything can be served so.
    #[must_use]
    pub(crate) fn file(mut self, file: &'static File) -> Self {
        self.open = self.open.route(file.path, file.serve());
        self
    }

    /// These and those.
    #[must_use]
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            open: self.open.merge(other.open),
            closed: self.closed.merge(other.closed),
        }
    }

    /// `base` with all routes described in it.
    pub(crate) fn describe(self, base: OpenApi) -> OpenApi {
        OpenApiRouter::with_openapi(base)
            .merge(self.open)
            .merge(self.closed)
            .into_openapi()
    }

    /// Those for everybody, and those that must stand behind the door.
    pub(crate) fn into_routers(self) -> (Router<App>, Router<App>) {
        (self.open.into(), self.closed.into())
    }
}

/// The operations on a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

fn describe(operation: &mut Operation, permission: Permission) {
    let extensions = operation.extensions.get_or_insert_default();
    extensions.merge(Extensions::from_iter([(PERMISSION, permission.name())]));
    if permission.is_public() {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
}

fn guarded(methods: MethodRouter<App>, permission: Permission) -> MethodRouter<App> {
    let guard = move |request: Request, next: Next| admit(permission, request, next);
    methods.route_layer(middleware::from_fn(guard))
}

/// Lets a request pass when its caller may do what the route does. A caller that nobody identified
/// may nothing.
async fn admit(permission: Permission, request: Request, next: Next) -> Answer<Response> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or(Error::Unauthenticated)?;
    if let Err(reason) = caller.require(permission) {
        let (mut parts, _) = request.into_parts();
        note_denial(&mut parts, &reason).await;
        return Err(reason.into());
    }
    Ok(next.run(request).await)
}

/// Lets a request for something costly pass, unless its caller made too many. Behind `admit`, so that
/// only what they may do is counted.
async fn admit_costly(request: Request, next: Next) -> Answer<Response> {
    let extensions = request.extensions();
    let (Some(caller), Some(app)) = (extensions.get::<Caller>(), extensions.get::<App>()) else {
        return Err(Error::Unauthenticated.into());
    };
    app.limits.count_costly(caller)?;
    Ok(next.run(request).await)
}
