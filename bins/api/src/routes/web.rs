//! The dashboard: `/` and what belongs to it.

use crate::registration::Routes;
use crate::web::FILES;

pub(super) fn routes() -> Routes {
    FILES.iter().fold(Routes::default(), Routes::file)
}
