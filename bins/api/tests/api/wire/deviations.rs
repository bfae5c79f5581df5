//! Where this API answers otherwise than the Python product did, and why. `docs/api.md` tells its
//! users.

use super::compare::Difference;

/// A difference that is meant.
#[derive(Debug)]
pub(super) struct Deviation {
    /// `status`, or the end of the place in the body.
    pub(super) at: &'static str,
    /// What was and what is.
    pub(super) what: &'static str,
    /// The examples that show it; none named means all that do.
    pub(super) examples: &'static [&'static str],
    /// Why it is meant.
    pub(super) reason: &'static str,
}

impl Deviation {
    /// Whether this is that difference.
    pub(super) fn covers(&self, found: &Difference) -> bool {
        let is_named = self.examples.is_empty() || self.examples.contains(&found.example.as_str());
        is_named && found.at.ends_with(self.at) && found.what == self.what
    }
}

/// All of them: refusals first, then answers that say more or other things.
pub(super) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        at: "status",
        what: "was 400, is 422",
        examples: &[
            "engines.create-invalid-type",
            "engines.create-missing-type",
            "engines.create-invalid-auth",
            "engines.create-port-range",
            "engines.update-invalid-auth",
            "databases.create-invalid-type",
            "databases.create-port-out-of-range",
            "databases.create-tags-wrong-type",
            "databases.update-invalid-type",
            "databases.test-connection-missing-fields",
            "databases.test-connection-empty-object",
            "databases.test-connection-invalid-type",
            "databases.test-connection-invalid-port",
            "backups.download-url-no-name",
            "backups.delete-file-no-name",
            "backups.delete-bulk-empty",
            "backups.delete-bulk-no-key",
            "backups.delete-bulk-not-array",
            "policies.create-no-name",
            "policies.create-empty-name",
            "policies.create-bad-tier",
            "policies.create-negative-keep",
            "policies.create-bad-time-format",
            "policies.update-invalid",
            "users.create-no-email",
            "users.create-bad-role",
            "users.update-bad-role",
            "access-requests.approve-bad-role",
            "me.preferences-too-small",
            "me.preferences-too-big",
        ],
        reason: "refused fields are 422 and listed; the text is in `error` as before",
    },
    Deviation {
        at: "status",
        what: "was 200, is 422",
        examples: &[
            "databases.list-type-unknown",
            "engines.list-type-unknown",
            "backups.filter-status-unknown",
        ],
        reason: "a filter value that cannot exist is a mistake, not an empty list",
    },
    Deviation {
        at: "status",
        what: "was 201, is 422",
        examples: &["engines.create-port-zero"],
        reason: "0 is no port; leave the port out to get the usual one",
    },
    Deviation {
        at: "status",
        what: "was 200, is 422",
        examples: &["engines.update-immutable-fields"],
        reason: "a change that is not made must not look made; unchanged values are accepted",
    },
    Deviation {
        at: "status",
        what: "was 400, is 422",
        examples: &["databases.create-duplicate-id"],
        reason: "ids are given by the service, so none can be sent, let alone twice",
    },
    Deviation {
        at: "status",
        what: "was 400, is 201",
        examples: &["policies.create-day-31"],
        reason: "days 29-31 are days: in shorter months they mean the last one",
    },
    Deviation {
        at: "status",
        what: "was 400, is 404",
        examples: &["databases.trigger-backup-engine-missing"],
        reason: "a database whose engine does not exist cannot be registered",
    },
    Deviation {
        at: "status",
        what: "was 202, is 400",
        examples: &["databases.trigger-backup-disabled"],
        reason: "it is on SQL Server, which this version cannot back up",
    },
    Deviation {
        at: "/files",
        what: "had 18 items, has 19",
        examples: &["files.list"],
        reason: "the data of a database with a container of its own is listed too",
    },
    Deviation {
        at: "/count",
        what: "was 18, is 19",
        examples: &["files.list"],
        reason: "the data of a database with a container of its own is listed too",
    },
    Deviation {
        at: "/deleted_files",
        what: "was 1, is 0",
        examples: &["databases.delete-with-backups"],
        reason: "the last good backup of a database stays",
    },
    Deviation {
        at: "/deleted_records",
        what: "was 2, is 0",
        examples: &["databases.delete-with-backups"],
        reason: "the history keeps the lines of what was deleted",
    },
    Deviation {
        at: "/errors",
        what: "had 0 items, has 1",
        examples: &["databases.delete-with-backups"],
        reason: "the last good backup of a database stays, and the answer says so",
    },
    Deviation {
        at: "status",
        what: "was 404, is 200",
        examples: &["backups.delete-file-again"],
        reason: "the deletion before it left a dead link and is not replayed; and what is deleted \
                 can be named until its grace period is over",
    },
    Deviation {
        at: "/updated_at",
        what: "was text, is null",
        examples: &["fresh.settings"],
        reason: "nobody has changed the settings yet",
    },
    Deviation {
        at: "/access_requests_enabled",
        what: "was false, is true",
        examples: &["settings.update-unknown-key"],
        reason: "the recorded change before it was a viewer's and is not replayed",
    },
    Deviation {
        at: "/query_error",
        what: "was text, is null",
        examples: &[
            "vnet-status.not-configured",
            "vnet-status.no-resource-group",
            "vnet-status.no-app-names",
        ],
        reason: "an installation without Azure has nobody to ask about networks",
    },
    Deviation {
        at: "status",
        what: "was 200, is 404",
        examples: &["backups.download-url-special-chars"],
        reason: "links are given to backups only, not to any text that may name a blob",
    },
    Deviation {
        at: "/expires_in_hours",
        what: "was a number, is null",
        examples: &["backups.download-url", "backups.download-url-expiry"],
        reason: "the embedded store signs no links; this API's own do not expire",
    },
    Deviation {
        at: "/backups",
        what: "had 3 items, has 0",
        examples: &["backups.filter-engine-and-database"],
        reason: "both filters count; the database is not on that engine",
    },
    Deviation {
        at: "count",
        what: "was 3, is 0",
        examples: &["backups.filter-engine-and-database"],
        reason: "both filters count; the database is not on that engine",
    },
    Deviation {
        at: "/items",
        what: "had 3 items, has 4",
        examples: &["engines.list"],
        reason: "the engine of a database that named none was registered with it",
    },
    Deviation {
        at: "/items",
        what: "had 1 items, has 2",
        examples: &["engines.list-page"],
        reason: "the engine of a database that named none was registered with it",
    },
    Deviation {
        at: "/total",
        what: "was 3, is 4",
        examples: &["engines.list", "engines.list-page"],
        reason: "the engine of a database that named none was registered with it",
    },
    Deviation {
        at: "/engine_id",
        what: "was null, is text",
        examples: &[],
        reason: "every database has an engine",
    },
    Deviation {
        at: "/created_by",
        what: "was null, is text",
        examples: &[],
        reason: "it is known who registered a database",
    },
    Deviation {
        at: "/auth_method",
        what: "was null, is text",
        examples: &[],
        reason: "a database with credentials of its own says how it signs in",
    },
    Deviation {
        at: "/username",
        what: "was null, is text",
        examples: &[],
        reason: "a database that signs in as its engine does shows the account that is used",
    },
    Deviation {
        at: "/policy_id",
        what: "was null, is text",
        examples: &["databases.create-inheriting"],
        reason: "a database that follows its engine's policy shows which one that is",
    },
    Deviation {
        at: "/policy_id",
        what: "was 'production-standard', is 'production-critical'",
        examples: &[],
        reason: "a database that follows its engine's policy shows which one that is",
    },
    Deviation {
        at: "/password_secret_name",
        what: "was text, is null",
        examples: &[
            "databases.update-to-inherited-credentials",
            "databases.update-back-to-own",
            "databases.update-policy-id",
        ],
        reason: "a password that is no longer used is deleted, not kept without an owner",
    },
    Deviation {
        at: "/password_secret_name",
        what: "was null, is text",
        examples: &["dev.engine-create-with-discovery", "dev.database-create"],
        reason: "passwords are in a secret store in every environment",
    },
    Deviation {
        at: "/existing_id",
        what: "was null, is text",
        examples: &[],
        reason: "the id under which a found database is registered is told",
    },
    Deviation {
        at: "/message",
        what: "was 'User created. They will be activated on first Azure AD login.', is 'User created. They choose a password with the invitation.'",
        examples: &["users.create-preregistered", "users.create"],
        reason: "people sign in here, with a password that they choose",
    },
    Deviation {
        at: "/last_login",
        what: "was text, is null",
        examples: &[],
        reason: "being let in is no sign-in",
    },
    Deviation {
        at: "/engine/host",
        what: "was 'MYSQL01.example.internal', is 'case.example'",
        examples: &["engines.update-apply-credentials-none"],
        reason: "hosts that differ in case only are one engine, so another one stands in",
    },
    Deviation {
        at: "/resource_types",
        what: "had 7 items, has 10",
        examples: &["audit.resource-types"],
        reason: "API tokens and alerts are new",
    },
    Deviation {
        at: "/services/storage/status",
        what: "was 'unhealthy', is 'healthy'",
        examples: &["fresh.system-status"],
        reason: "the stores were made at the start; a route that reads does not find them missing",
    },
    Deviation {
        at: "/storage/backup_count",
        what: "was 18, is 21",
        examples: &[
            "system-status.period-default",
            "system-status.period-1d",
            "system-status.period-7d",
            "system-status.period-30d",
            "system-status.period-all",
        ],
        reason: "the history counts; the recording had 18 small blobs for its 21 lines",
    },
    Deviation {
        at: "/storage/total_size_bytes",
        what: "was 59636, is 1807805437",
        examples: &[
            "system-status.period-default",
            "system-status.period-1d",
            "system-status.period-7d",
            "system-status.period-30d",
            "system-status.period-all",
        ],
        reason: "the history counts; the recording had 18 small blobs for its 21 lines",
    },
    Deviation {
        at: "/storage/total_size_formatted",
        what: "was '58.24 KB', is '1.68 GB'",
        examples: &[
            "system-status.period-default",
            "system-status.period-1d",
            "system-status.period-7d",
            "system-status.period-30d",
            "system-status.period-all",
        ],
        reason: "the history counts; the recording had 18 small blobs for its 21 lines",
    },
    Deviation {
        at: "/total_backup_count",
        what: "was 18, is 21",
        examples: &["storage-stats.shipped-layout"],
        reason: "the history counts; the recording had 18 small blobs for its 21 lines",
    },
    Deviation {
        at: "/total_size_bytes",
        what: "was 59636, is 1807805437",
        examples: &["storage-stats.shipped-layout"],
        reason: "the history counts; the recording had 18 small blobs for its 21 lines",
    },
    Deviation {
        at: "/total_size_formatted",
        what: "was '58.24 KB', is '1.68 GB'",
        examples: &["storage-stats.shipped-layout"],
        reason: "the history counts; the recording had 18 small blobs for its 21 lines",
    },
    Deviation {
        at: "/by_database",
        what: "had 0 items, has 5",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_engine",
        what: "had 0 items, has 4",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_type/mysql/size_bytes",
        what: "was 0, is 1807769324",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_type/mysql/size_formatted",
        what: "was '0 B', is '1.68 GB'",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_type/postgresql/size_bytes",
        what: "was 0, is 35336",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_type/postgresql/size_formatted",
        what: "was '0 B', is '34.51 KB'",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_type/sqlserver/size_bytes",
        what: "was 0, is 777",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/by_type/sqlserver/size_formatted",
        what: "was '0 B', is '777.00 B'",
        examples: &["storage-stats.shipped-layout"],
        reason: "shares are told; the Python product took them from names of blobs that it did not write",
    },
    Deviation {
        at: "/last_failure_at",
        what: "was '2025-12-10T01:30:05.750000', is '2025-12-10T01:30:07.25Z'",
        examples: &["backup-alerts.three"],
        reason: "a backup fails when its job ends, not when it begins",
    },
    Deviation {
        at: "/alerts",
        what: "had 3 items, has 2",
        examples: &["backup-alerts.one"],
        reason: "databases that were removed raise no alert",
    },
    Deviation {
        at: "/count",
        what: "was 3, is 2",
        examples: &["backup-alerts.one"],
        reason: "databases that were removed raise no alert",
    },
    Deviation {
        at: "/actions",
        what: "had 25 items, has 49",
        examples: &["audit.actions"],
        reason: "more is done, and noted",
    },
    Deviation {
        at: "/logs/*/id",
        what: "was 'ffffffff-0000-4000-8000-0000000000a1', is 'ffffffff-0000-4000-8000-0000000000a2'",
        examples: &[
            "legacy.audit-day-partition-visible",
            "legacy.audit-day-partition-end-date",
        ],
        reason: "newest first, also across partitions",
    },
    Deviation {
        at: "/logs/*/id",
        what: "was 'ffffffff-0000-4000-8000-0000000000a2', is 'ffffffff-0000-4000-8000-0000000000a1'",
        examples: &[
            "legacy.audit-day-partition-visible",
            "legacy.audit-day-partition-end-date",
        ],
        reason: "newest first, also across partitions",
    },
    Deviation {
        at: "/logs/*/timestamp",
        what: "was '2024-06-01T10:00:00', is '2025-12-09T10:00:00Z'",
        examples: &[
            "legacy.audit-day-partition-visible",
            "legacy.audit-day-partition-end-date",
        ],
        reason: "newest first, also across partitions",
    },
    Deviation {
        at: "/logs/*/timestamp",
        what: "was '2025-12-09T10:00:00', is '2024-06-01T10:00:00Z'",
        examples: &[
            "legacy.audit-day-partition-visible",
            "legacy.audit-day-partition-end-date",
        ],
        reason: "newest first, also across partitions",
    },
];
