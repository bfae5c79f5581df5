//! The suite for [`SecretStore`].

use std::sync::Arc;

use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Gaps, Report, run_checks, unique};

/// Runs every check of the secret port on `store`. No known gap concerns it.
pub async fn secret_store(store: Arc<dyn SecretStore>, _gaps: &Gaps) -> anyhow::Result<()> {
    let bench = Bench { store };
    let bench = &bench;
    let mut report = Report::new("secret_store");
    run_checks!(
        report,
        bench,
        [
            missing_secret_reads_as_none,
            values_survive,
            setting_again_replaces_the_value,
            deleting_is_idempotent_and_the_name_can_return,
            listing_names_what_is_there,
            secrets_do_not_mix,
            racing_writers_leave_one_whole_value,
        ]
    );
    report.finish()
}

struct Bench {
    store: Arc<dyn SecretStore>,
}

fn fresh_name() -> anyhow::Result<SecretName> {
    Ok(SecretName::new(unique("conformance-"))?)
}

impl Bench {
    async fn set(&self, name: &SecretName, value: &str) -> anyhow::Result<()> {
        Ok(self.store.set(name, &SecretValue::new(value)).await?)
    }

    /// The secret must have this value; errors never show either.
    async fn holds(&self, name: &SecretName, value: &str) -> anyhow::Result<()> {
        let read = self.store.get(name).await?;
        let Some(read) = read else {
            anyhow::bail!("the secret is missing")
        };
        anyhow::ensure!(read.expose() == value, "the secret has another value");
        Ok(())
    }

    async fn is_missing(&self, name: &SecretName) -> anyhow::Result<()> {
        anyhow::ensure!(self.store.get(name).await?.is_none(), "the secret is there");
        Ok(())
    }
}

async fn missing_secret_reads_as_none(bench: &Bench) -> anyhow::Result<()> {
    bench.is_missing(&fresh_name()?).await
}

async fn values_survive(bench: &Bench) -> anyhow::Result<()> {
    let long = "k".repeat(20 * 1024);
    for value in [
        "x",
        "  p' \"w\\ \t\n<&>%41 ",
        "naïve 数据 🗄️ \u{10ffff}",
        &long,
    ] {
        let name = fresh_name()?;
        bench.set(&name, value).await?;
        bench.holds(&name, value).await?;
    }
    Ok(())
}

async fn setting_again_replaces_the_value(bench: &Bench) -> anyhow::Result<()> {
    let name = fresh_name()?;
    for value in ["first, and longer", "second", "second", "third"] {
        bench.set(&name, value).await?;
        bench.holds(&name, value).await?;
    }
    Ok(())
}

async fn deleting_is_idempotent_and_the_name_can_return(bench: &Bench) -> anyhow::Result<()> {
    let name = fresh_name()?;
    bench.store.delete(&name).await?;
    bench.set(&name, "first").await?;
    bench.store.delete(&name).await?;
    bench.is_missing(&name).await?;
    bench.store.delete(&name).await?;
    bench.set(&name, "second").await?;
    bench.holds(&name, "second").await
}

async fn listing_names_what_is_there(bench: &Bench) -> anyhow::Result<()> {
    let (kept, dropped) = (fresh_name()?, fresh_name()?);
    bench.set(&kept, "x").await?;
    bench.set(&dropped, "x").await?;
    bench.store.delete(&dropped).await?;
    let names = bench.store.list().await?;
    anyhow::ensure!(
        names.iter().filter(|&name| *name == kept).count() == 1,
        "a name is missing"
    );
    anyhow::ensure!(!names.contains(&dropped), "a deleted name is listed");
    Ok(())
}

async fn secrets_do_not_mix(bench: &Bench) -> anyhow::Result<()> {
    let short = fresh_name()?;
    let long = SecretName::new(format!("{}-more", short.as_str()))?;
    bench.set(&long, "long").await?;
    bench.is_missing(&short).await?;
    bench.set(&short, "short").await?;
    bench.holds(&long, "long").await?;
    bench.store.delete(&short).await?;
    bench.holds(&long, "long").await
}

async fn racing_writers_leave_one_whole_value(bench: &Bench) -> anyhow::Result<()> {
    const WRITERS: usize = 8;
    let name = fresh_name()?;
    let value = |writer: usize| format!("{writer} ").repeat(100 + writer);
    let barrier = Arc::new(Barrier::new(WRITERS));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, name, barrier) = (bench.store.clone(), name.clone(), barrier.clone());
        let value = SecretValue::new(value(writer));
        writers.spawn(async move {
            barrier.wait().await;
            store.set(&name, &value).await
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    let Some(end) = bench.store.get(&name).await? else {
        anyhow::bail!("the secret is missing")
    };
    let is_whole = (0..WRITERS).any(|writer| value(writer) == end.expose());
    anyhow::ensure!(is_whole, "the value is none of those written");
    Ok(())
}
