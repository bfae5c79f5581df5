//! The service itself on the wire.

use serde::Serialize;
use utoipa::ToSchema;

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    pub(crate) status: &'static str,
    /// Always `dilux-backup-api`.
    #[schema(example = "dilux-backup-api")]
    pub(crate) service: &'static str,
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Now.
    pub(crate) timestamp: String,
}

/// What is installed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Tells installations apart: twelve hexadecimal digits, made once.
    #[schema(example = "5f0c2a9be471")]
    pub(crate) installation_id: String,
    /// Name of the environment, from the settings.
    #[schema(example = "production")]
    pub(crate) environment: String,
}

/// That the stores answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`.
    #[schema(example = "ready")]
    pub(crate) status: &'static str,
}

/// A virtual network that services are connected to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Vnet {
    vnet_name: String,
    vnet_resource_group: String,
    subnet_name: String,
    connected_apps: Vec<String>,
    connection_status: String,
    is_complete: bool,
}

/// A service and the virtual network that it is connected to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FunctionApp {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    vnet_name: Option<String>,
    subnet_name: Option<String>,
    vnet_resource_group: Option<String>,
    is_connected: bool,
    error: Option<String>,
}

/// How the services are connected to virtual networks of Azure.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VnetStatus {
    /// Whether any is: never, as far as this version can tell.
    has_vnet_integration: bool,
    /// The networks.
    vnets: Vec<Vnet>,
    /// The services that run as function apps: none.
    function_apps: Vec<FunctionApp>,
    /// What does not fit together.
    inconsistencies: Vec<String>,
    /// Why it cannot be told; `null` where there is no Azure network to ask about.
    query_error: Option<&'static str>,
}

impl VnetStatus {
    /// The answer of an installation without network integration; one whose stores are not here
    /// may run in a network of Azure, which nobody asks.
    pub(crate) fn without_integration(is_embedded: bool) -> Self {
        Self {
            has_vnet_integration: false,
            vnets: Vec::new(),
            function_apps: Vec::new(),
            inconsistencies: Vec::new(),
            query_error: (!is_embedded)
                .then_some("this version does not ask Azure about virtual networks"),
        }
    }
}
