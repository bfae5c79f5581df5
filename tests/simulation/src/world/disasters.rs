//! What happens to whole stores and processes, at random times.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::clock::Clock as _;
use tokio::time::{Instant, sleep};

use super::World;
use super::roles::Role;
use crate::network::Store;

/// Lets disasters happen until the world is calm.
pub(super) async fn happen(world: Arc<World>) {
    let Some(mean) = world.network.plan.disasters_every else {
        return;
    };
    loop {
        let pause = world.network.dice.span(mean / 10, mean * 2);
        tokio::select! {
            biased;
            () = world.calm.cancelled() => return,
            () = sleep(pause) => strike(&world),
        }
    }
}

fn strike(world: &World) {
    let (dice, log) = (&world.network.dice, &world.network.log);
    let seconds = Duration::from_secs;
    let most = seconds(dice.pick(30, &[120, 900, 900, 10_800]));
    let until = Instant::now() + dice.span(seconds(5), most);
    let index = usize::try_from(dice.below(Role::ALL.len() as u64)).unwrap_or(0);
    let Some(life) = world.life(index) else {
        return;
    };
    let name = life.process.name();
    match dice.below(10) {
        0 | 1 => {
            let store = dice.pick(
                Store::Tables,
                &[Store::Queues, Store::Blobs, Store::Secrets],
            );
            log.note("disaster", "outage of a store", &format!("{store:?}"));
            world.network.take_out(store, until);
        }
        2 => {
            log.note("disaster", "outage of all stores", "");
            for store in Store::ALL {
                world.network.take_out(store, until);
            }
        }
        3 => {
            log.note("disaster", "process is stopped", name);
            life.process.stop_until(until);
        }
        4 => {
            log.note("disaster", "process is cut off", name);
            life.process.cut_off_until(until);
        }
        5 => {
            log.note("disaster", "process is killed", name);
            life.process.kill();
        }
        6 => {
            log.note("disaster", "process is asked to end", name);
            life.shutdown.cancel();
        }
        7 | 8 => {
            let now = world.clock.now();
            let pick = |end: usize| usize::try_from(dice.below(end as u64)).unwrap_or(0);
            let decayed = world.network.memory.decay(now, pick);
            log.note("disaster", "data decays", &decayed.unwrap_or_default());
        }
        _ => {
            log.note("disaster", "messages get lost", "");
            let queue = world.settings.queue.as_str();
            let mut content = world.network.memory.content();
            content.lose_messages(queue, || dice.below(2) == 0);
        }
    }
}
