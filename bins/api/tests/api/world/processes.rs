//! Other processes over the store of a world.

use std::sync::Arc;

use dilux_api::{Context, router};
use dilux_core::installation::Installation;
use dilux_core::storage::{self, Profile, Storage};

use super::World;
use crate::faults::{Faults, FaultySecrets, FaultyTables};

impl World {
    /// A second process over the same store, opened by itself. It knows nothing of what this one has
    /// in memory.
    pub(crate) fn sibling(&self) -> Self {
        let old = &self.installation;
        let (settings, clock) = (old.settings.clone(), old.clock.clone());
        let bare = storage::open(&settings, Profile::Interactive, &clock, &old.random).unwrap();
        let faults = Arc::default();
        let stores = faulty(&bare, &faults);
        let installation = Installation::new(settings, stores, clock, old.random.clone());
        let context = Context::new(installation.clone(), Arc::new(self.server.drivers()));
        Self {
            router: router(context),
            installation,
            clock: self.clock.clone(),
            server: self.server.clone(),
            faults,
            bare,
            directory: self.directory.clone(),
        }
    }

    /// Another process over the same store, in the place of this one, which is left as it stands.
    pub(crate) fn restart(&mut self) {
        self.faults = Arc::default();
        let old = &self.installation;
        self.installation = Installation::new(
            old.settings.clone(),
            faulty(&self.bare, &self.faults),
            old.clock.clone(),
            old.random.clone(),
        );
        let context = Context::new(self.installation.clone(), Arc::new(self.server.drivers()));
        self.router = router(context);
    }
}

/// These stores, made to fail.
pub(super) fn faulty(bare: &Storage, faults: &Arc<Faults>) -> Storage {
    Storage {
        tables: Arc::new(FaultyTables::new(bare.tables.clone(), faults.clone())),
        secrets: Arc::new(FaultySecrets::new(bare.secrets.clone(), faults.clone())),
        ..bare.clone()
    }
}
