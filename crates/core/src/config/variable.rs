//! The registry of environment variables.

/// An environment variable that Dilux reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Name.
    pub name: &'static str,
    /// What applies when it is not set; empty when nothing does.
    pub default: &'static str,
    /// What it does, for operators.
    pub help: &'static str,
}

const fn variable(name: &'static str, default: &'static str, help: &'static str) -> Variable {
    Variable {
        name,
        default,
        help,
    }
}

/// Every variable, in the order of the documentation. Names without `DILUX_` are the documented
/// ones of the Python product.
pub const VARIABLES: &[Variable] = &[
    variable(
        "STORAGE_CONNECTION_STRING",
        "file://./data",
        "Which store: `file://DIRECTORY` (embedded), `UseDevelopmentStorage=true`, an Azure \
         connection string, or a SAS connection string.",
    ),
    variable(
        "STORAGE_ACCOUNT_NAME",
        "",
        "Azure account to sign in to with an identity; needs the three endpoints and \
         `DILUX_STORAGE_IDENTITY`, and excludes `STORAGE_CONNECTION_STRING`.",
    ),
    variable(
        "STORAGE_BLOB_ENDPOINT",
        "",
        "Blob endpoint of `STORAGE_ACCOUNT_NAME`.",
    ),
    variable(
        "STORAGE_QUEUE_ENDPOINT",
        "",
        "Queue endpoint of `STORAGE_ACCOUNT_NAME`.",
    ),
    variable(
        "STORAGE_TABLE_ENDPOINT",
        "",
        "Table endpoint of `STORAGE_ACCOUNT_NAME`.",
    ),
    variable(
        "DILUX_STORAGE_IDENTITY",
        "",
        "Azure identity for storage and Key Vault: `managed`, `workload` or `client-secret`.",
    ),
    variable("AZURE_TENANT_ID", "", "Tenant, for `client-secret`."),
    variable(
        "AZURE_CLIENT_ID",
        "",
        "App (`client-secret`) or user-assigned identity (`managed`).",
    ),
    variable(
        "AZURE_CLIENT_SECRET",
        "",
        "Secret of the app, for `client-secret`.",
    ),
    variable(
        "AZURE_FEDERATED_TOKEN_FILE",
        "",
        "File with the token of a workload identity, as AKS sets it. Where it is set, databases \
         whose `azure_ad` names no app sign in as that identity, else as the app of \
         `AZURE_CLIENT_SECRET`.",
    ),
    variable(
        "AZURE_AUTHORITY_HOST",
        "https://login.microsoftonline.com",
        "Where Entra ID is: that of the public cloud, `https://login.microsoftonline.us` or \
         `https://login.partner.microsoftonline.cn`.",
    ),
    variable(
        "DILUX_TOKEN_HOSTS",
        ".database.azure.com,.database.windows.net,.database.usgovcloudapi.net,.database.chinacloudapi.cn",
        "Database servers that may be sent a token (`managed_identity`, `azure_ad`): names with \
         commas between; one that begins with a dot stands for all names that end with it. A server \
         of Azure SQL among them may send clients on inside of its domain.",
    ),
    variable(
        "KEY_VAULT_NAME",
        "",
        "Key Vault that keeps the secrets, by name.",
    ),
    variable(
        "KEYVAULT_URL",
        "",
        "Key Vault that keeps the secrets, by URL.",
    ),
    variable(
        "DILUX_SECRETS_DIRECTORY",
        "the embedded store's directory",
        "Where secrets are kept encrypted when there is no Key Vault; needed beside Azure storage.",
    ),
    variable(
        "BACKUP_CONTAINER_NAME",
        "backups",
        "Blob container of the backups.",
    ),
    variable("BACKUP_QUEUE_NAME", "backup-jobs", "Queue of the jobs."),
    variable(
        "HISTORY_TABLE_NAME",
        "backuphistory",
        "Table of the backup history.",
    ),
    variable(
        "CONFIG_TABLE_NAME",
        "databaseconfigs",
        "Table of the databases.",
    ),
    variable(
        "DILUX_API_ADDRESS",
        "127.0.0.1:7071",
        "Address of the API. Only loopback addresses are accepted: the API does not speak TLS.",
    ),
    variable(
        "DILUX_PUBLIC_URL",
        "http://localhost and the port of the API",
        "How browsers reach the API. A trusted proxy may address it by this name, its pages may \
         change things, links to the data of backups begin with it, and the identity provider sends browsers back to \
         `/api/auth/oidc/callback` there.",
    ),
    variable(
        "DILUX_TRUSTED_PROXIES",
        "",
        "Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed: \
         addresses and networks such as `127.0.0.1` and `10.1.0.0/16`, with commas between. \
         Anybody else's are ignored.",
    ),
    variable(
        "DILUX_REQUESTS_PER_MINUTE",
        "3000",
        "Requests a minute of one caller that are answered by one process of the API, as many \
         at once; `0`: all.",
    ),
    variable(
        "DILUX_ANONYMOUS_REQUESTS_PER_MINUTE",
        "300",
        "The same for all at one address who do not say who they are; `0`: all.",
    ),
    variable(
        "DILUX_COSTLY_REQUESTS_PER_MINUTE",
        "120",
        "The same for what one caller starts or sends out: connection tests, discoveries, \
         backups, restores, verifications, exports, imports, downloads of data; `0`: all.",
    ),
    variable(
        "DILUX_REQUESTS_AT_ONCE",
        "256",
        "Requests that one process of the API answers at the same time; who comes beyond is told \
         to try again in a moment; `0`: all.",
    ),
    variable(
        "DILUX_DOWNLOADS_AT_ONCE",
        "16",
        "Backups that one process of the API sends at the same time; `0`: all.",
    ),
    variable(
        "DILUX_AUTH",
        "on",
        "`off`: nobody is asked who they are. Only with `DILUX_EVERYBODY_IS_ADMIN=yes`, on this \
         machine, with storage on this machine, and without a proxy, a public URL or an \
         identity provider.",
    ),
    variable(
        "DILUX_EVERYBODY_IS_ADMIN",
        "no",
        "`yes`, beside `DILUX_AUTH=off`: everybody who reaches the API may read, restore and \
         delete every backup and change every password.",
    ),
    variable(
        "DILUX_TOKEN_FILE",
        "bootstrap-token in the secrets' directory",
        "File (mode 0600) that the API writes the bootstrap token to, while nobody is registered.",
    ),
    variable(
        "DILUX_ADMIN_EMAIL",
        "",
        "E-mail that the first admin must have; when not set, whoever holds the bootstrap token \
         chooses.",
    ),
    variable(
        "DILUX_OIDC_ISSUER",
        "",
        "Identity provider (OpenID Connect) whose tokens are accepted, just as it writes \
         itself in `iss`: `https://login.microsoftonline.com/TENANT/v2.0` for Entra ID.",
    ),
    variable(
        "DILUX_OIDC_CLIENT_ID",
        "",
        "Id of the app at the provider; needed with `DILUX_OIDC_ISSUER`.",
    ),
    variable(
        "DILUX_OIDC_AUDIENCE",
        "the client id",
        "What `aud` of a token for the API must be.",
    ),
    variable(
        "DILUX_OIDC_TENANT",
        "",
        "Tenant of Entra ID that `tid` must be; needed there, and set nowhere else.",
    ),
    variable(
        "DILUX_OIDC_CLIENT_SECRET",
        "",
        "Secret of the app, where it has one.",
    ),
    variable(
        "DILUX_OIDC_CLIENT_SECRET_FILE",
        "",
        "File with the secret of the app, instead of `DILUX_OIDC_CLIENT_SECRET`; read at each \
         sign-in.",
    ),
    variable(
        "DILUX_SESSION_IDLE_MINUTES",
        "60",
        "How long a session lasts without a request, 1–1440.",
    ),
    variable(
        "DILUX_SESSION_HOURS",
        "12",
        "How long a session lasts in all, 1–168.",
    ),
    variable(
        "DILUX_TICK_SECONDS",
        "900",
        "Time between two ticks of the scheduler.",
    ),
    variable(
        "DILUX_SWEEP_SECONDS",
        "30",
        "Time between two looks for jobs whose queue message got lost.",
    ),
    variable(
        "DILUX_HEARTBEAT_SECONDS",
        "60",
        "Time between two heartbeats of each process, 5–3600; three missing ones make it silent. The \
         same for all processes.",
    ),
    variable(
        "DILUX_RETENTION_TIME",
        "02:00",
        "Time of day, UTC, at which retention runs; `off`: only when somebody runs `dilux retention \
         run`.",
    ),
    variable(
        "DILUX_HEALTH_HOURS",
        "6",
        "Hours between two looks of the health monitor, 1–24.",
    ),
    variable(
        "DILUX_RETENTION_GRACE_DAYS",
        "7",
        "How long an expired backup may still be taken back before it is deleted; at most 365.",
    ),
    variable(
        "DILUX_RETENTION_DELETE_BUDGET",
        "1000",
        "Backups that one run of retention deletes at most; the others wait for the next run.",
    ),
    variable(
        "DILUX_MINIMUM_REDUNDANCY",
        "2",
        "Sound backups of each database that retention always leaves; at least 1.",
    ),
    variable(
        "DILUX_UNREGISTERED_GRACE_DAYS",
        "90",
        "How long all backups of a database stay that is registered no more.",
    ),
    variable(
        "DILUX_ORPHAN_HOURS",
        "48",
        "Age at which data that no backup names is removed; at least 24.",
    ),
    variable(
        "DILUX_WORKERS",
        "2",
        "Jobs that one processor runs at once.",
    ),
    variable(
        "DILUX_MAX_JOBS",
        "16",
        "Jobs that all processors together run at once, 1–64.",
    ),
    variable(
        "DILUX_MAX_JOBS_PER_ENGINE",
        "4",
        "Jobs that load one engine at once, 1–64, unless the engine has a limit of its own.",
    ),
    variable(
        "DILUX_JOB_LEASE_SECONDS",
        "90",
        "How long a claim on a job lasts without a heartbeat; at least 3.",
    ),
    variable(
        "DILUX_IDLE_POLL_MILLISECONDS",
        "1000",
        "Longest wait of an idle worker.",
    ),
    variable(
        "DILUX_SHUTDOWN_GRACE_SECONDS",
        "20",
        "How long running jobs may go on after a stop was asked for.",
    ),
    variable(
        "DILUX_RETRY_ATTEMPTS",
        "4",
        "Attempts at a job before a passing failure is final.",
    ),
    variable(
        "DILUX_RETRY_FIRST_SECONDS",
        "30",
        "Wait before the second attempt; each further wait is four times as long, at most 1 h.",
    ),
    variable(
        "DILUX_FIRST_BYTE_SECONDS",
        "600",
        "Longest wait for the first byte of a dump.",
    ),
    variable(
        "DILUX_STALL_SECONDS",
        "300",
        "Longest silence in the middle of a dump or restore.",
    ),
    variable(
        "DILUX_TOTAL_SECONDS",
        "21600",
        "Longest run of a dump or restore.",
    ),
    variable(
        "DILUX_ALLOWED_NETWORKS",
        "public,private,loopback",
        "Networks that database servers may be in: `public`, `private`, `loopback`, and networks \
         such as `10.1.0.0/16`, with commas between. Link-local and multicast addresses and those \
         of the platform itself, its metadata service first, are never connected to.",
    ),
    variable(
        "DILUX_TOOL_PATH",
        "",
        "Directories, separated by `:`, in which alone client tools are looked for. When not set: \
         where distributions install them.",
    ),
    variable(
        "LOG_LEVEL",
        "info",
        "Log filter: `info`, `debug`, `dilux_core=debug,info`.",
    ),
    variable(
        "DILUX_LOG_FORMAT",
        "text",
        "`text` for people, `json` for machines.",
    ),
    variable(
        "ENVIRONMENT",
        "production",
        "Name of the installation's environment, for display.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_stands_in_the_documentation_as_registered() {
        let page = include_str!("../../../../docs/configuration.md");
        for Variable {
            name,
            default,
            help,
        } in VARIABLES
        {
            let default = if default.is_empty() {
                "–".to_owned()
            } else {
                format!("`{default}`")
            };
            let row = format!("| `{name}` | {default} | {help} |");
            assert!(
                page.contains(&row),
                "docs/configuration.md lacks the line:\n{row}"
            );
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(
            rows,
            VARIABLES.len(),
            "docs/configuration.md has lines too many"
        );
    }
}
