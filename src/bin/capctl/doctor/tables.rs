//! The two tables: there, in working order, forgetting in time, and backed up.

use aws_sdk_dynamodb::{
    Client,
    operation::describe_table::DescribeTableError,
    types::{PointInTimeRecoveryStatus, TableStatus, TimeToLiveStatus},
};

use super::finding::Findings;
use crate::{aws, context::Context, output::Failure};

const DEPLOY: &str = "deploy the stack again: somebody has changed the table by hand";

pub(super) async fn examine(context: &Context, findings: &mut Findings) {
    let client = Client::new(&context.aws);
    for (what, variable) in [("ledger", "EVENTS_TABLE"), ("snapshots", "SNAPSHOTS_TABLE")] {
        let examined = match context.deployment.name(variable) {
            Ok(table) => examine_table(&client, what, table, findings).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = examined {
            findings.unknown(what, &failure);
        }
    }
}

async fn examine_table(client: &Client, what: &'static str, table: &str, findings: &mut Findings) -> Result<(), Failure> {
    let described = client.describe_table().table_name(table).send().await;
    if described
        .as_ref()
        .is_err_and(|error| error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception))
    {
        findings.bad(
            what,
            format!("there is no table {table}"),
            "deploy the stack; a table restored from a backup has another name",
        );
        return Ok(());
    }
    let described = described.map_err(|error| aws::failure("DynamoDB.DescribeTable", &error))?;
    match described.table.and_then(|table| table.table_status) {
        Some(TableStatus::Active | TableStatus::Updating) => {}
        other => {
            let status = other.map(|status| status.as_str().to_owned()).unwrap_or_default();
            findings.bad(what, format!("the table {table} is {status}"), "wait, or look at it in DynamoDB");
        }
    }
    let answer = client.describe_time_to_live().table_name(table).send().await;
    let answer = answer.map_err(|error| aws::failure("DynamoDB.DescribeTimeToLive", &error))?;
    let forgets = answer.time_to_live_description.as_ref().is_some_and(|ttl| {
        matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
            && ttl.attribute_name.as_deref() == Some("expiresAt")
    });
    if forgets {
        findings.good(what, format!("{table} forgets what is past its time"));
    } else {
        findings.bad(what, format!("{table} keeps for ever what is past its time: TTL on `expiresAt` is off"), DEPLOY);
    }
    let answer = client.describe_continuous_backups().table_name(table).send().await;
    let answer = answer.map_err(|error| aws::failure("DynamoDB.DescribeContinuousBackups", &error))?;
    let recovery = answer.continuous_backups_description.and_then(|backups| backups.point_in_time_recovery_description);
    let is_on = recovery.and_then(|recovery| recovery.point_in_time_recovery_status) == Some(PointInTimeRecoveryStatus::Enabled);
    if !is_on {
        findings.hint(what, format!("{table} has no point-in-time recovery"), DEPLOY);
    }
    Ok(())
}
