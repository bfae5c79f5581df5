//! The processes of the installation on the wire.

use dilux_core::component::{self, FoundTool};
use serde::Serialize;
use utoipa::ToSchema;

use super::Damaged;
use crate::app::ComponentsView;

/// A client tool that a process found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tool {
    /// Its name.
    #[schema(example = "pg_dump")]
    name: String,
    /// As it says; `null` when it does not work.
    #[schema(example = "15.20")]
    version: Option<String>,
    /// The version with fixes that it lacks.
    fixed_in: Option<String>,
    /// Why it does not work.
    problem: Option<String>,
}

impl From<&FoundTool> for Tool {
    fn from(tool: &FoundTool) -> Self {
        Self {
            name: tool.name.clone(),
            version: tool.version.clone(),
            fixed_in: tool.fixed_in.clone(),
            problem: tool.problem.clone(),
        }
    }
}

/// A process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Component {
    /// Id, another one after each start.
    id: String,
    /// `api`, `scheduler` or `processor`.
    #[schema(example = "processor")]
    kind: &'static str,
    /// Version of the program.
    version: String,
    /// Since when it runs.
    started_at: String,
    /// Its last heartbeat; there is one a minute unless the settings say otherwise.
    last_seen_at: String,
    /// Whether fewer than three heartbeats are missing.
    alive: bool,
    /// Jobs that it runs at once; `null` for a process that runs none.
    slots: Option<u32>,
    /// Engine types that it can work with.
    engine_types: Vec<&'static str>,
    /// Client tools that it found.
    tools: Vec<Tool>,
}

/// The processes of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComponentList {
    /// Those that live, and those that fell silent in the last day without saying so; by kind, the
    /// youngest first.
    components: Vec<Component>,
    /// How many those are.
    count: usize,
    /// Kinds of which none lives.
    #[schema(example = json!(["scheduler"]))]
    missing: Vec<&'static str>,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<&ComponentsView> for ComponentList {
    fn from(view: &ComponentsView) -> Self {
        let components = view.items.iter().map(|it| Component {
            id: it.id.to_string(),
            kind: it.kind.as_str(),
            version: it.version.clone(),
            started_at: it.started_at.to_string(),
            last_seen_at: it.seen_at.to_string(),
            alive: it.is_alive(view.now, view.heartbeat),
            slots: it.slots,
            engine_types: it.engine_types.iter().map(|kind| kind.as_str()).collect(),
            tools: it.tools.iter().map(Tool::from).collect(),
        });
        let is_missing = |kind: &component::ComponentKind| {
            let mut of_kind = view.items.iter().filter(|it| it.kind == *kind);
            !of_kind.any(|it| it.is_alive(view.now, view.heartbeat))
        };
        let missing = component::ComponentKind::ALL.into_iter().filter(is_missing);
        Self {
            components: components.collect(),
            count: view.items.len(),
            missing: missing.map(component::ComponentKind::as_str).collect(),
            damaged: view.damaged.iter().map(Damaged::from).collect(),
        }
    }
}
