//! Substrait plans, made by DataFusion's own producer, over Flight SQL.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema},
    util::pretty::pretty_format_batches,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightInfo,
    encode::FlightDataEncoderBuilder,
    sql::{
        ActionCreatePreparedStatementResult, ActionCreatePreparedSubstraitPlanRequest, Any,
        CommandPreparedStatementQuery, CommandStatementSubstraitPlan, ProstMessageExt,
        SubstraitPlan,
    },
};
use datafusion::{datasource::empty::EmptyTable, prelude::SessionContext};
use datafusion_substrait::{
    logical_plan::producer::to_substrait_plan,
    substrait::proto::{
        DdlRel, Plan, PlanRel, ReadRel, Rel, WriteRel, extensions, plan_rel, read_rel,
        read_rel::{
            LocalFiles, NamedTable,
            local_files::{FileOrFiles, file_or_files::PathType},
        },
        rel::RelType,
    },
};
use futures::TryStreamExt;
use prost::Message;
use tonic::{Code, Status};

use crate::server::{Client, Server, rows, table, update};

/// What DataFusion makes of a query over `goods (id BIGINT, name VARCHAR, price DOUBLE)`.
pub(crate) async fn plan_of(sql: &str) -> Result<Plan> {
    let ctx = SessionContext::new();
    let goods = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("price", DataType::Float64, true),
    ]);
    for name in ["goods", "missing"] {
        let table = EmptyTable::new(Arc::new(goods.clone()));
        ctx.register_table(name, Arc::new(table))?;
    }
    let plan = ctx.state().create_logical_plan(sql).await?;
    Ok(*to_substrait_plan(&plan, &ctx.state())?)
}

const GOODS: &str = "CREATE TABLE goods AS SELECT * FROM (VALUES (1, 'nail', 0.5e0), (2, 'saw', 12e0), (3, 'bolt', 0.25e0)) AS t(id, name, price)";

pub(crate) fn command(plan: &Plan) -> CommandStatementSubstraitPlan {
    CommandStatementSubstraitPlan {
        plan: Some(SubstraitPlan {
            plan: plan.encode_to_vec().into(),
            version: String::new(),
        }),
        transaction_id: None,
    }
}

async fn info(
    client: &mut Client,
    command: &CommandStatementSubstraitPlan,
) -> Result<FlightInfo, Status> {
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let info = client.inner_mut().get_flight_info(descriptor).await;
    info.map(tonic::Response::into_inner)
}

async fn fetch(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>> {
    let ticket = info.endpoint.into_iter().next().and_then(|e| e.ticket);
    let rows = client.do_get(ticket.context("no ticket")?).await?;
    Ok(rows.try_collect().await?)
}

async fn answer(client: &mut Client, plan: &Plan) -> Result<String> {
    let info = info(client, &command(plan)).await?;
    Ok(pretty_format_batches(&fetch(client, info).await?)?.to_string())
}

async fn refused(client: &mut Client, plan: &Plan) -> Result<Status> {
    let answer = info(client, &command(plan)).await;
    answer.err().context("the plan was accepted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_of_datafusion_give_the_rows_of_their_sql() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(&mut client, GOODS).await?;
    for sql in [
        "SELECT id, name FROM goods WHERE price < 1 ORDER BY id",
        "SELECT count(*) AS n, sum(price) AS total FROM goods WHERE name LIKE '%a%'",
        "SELECT a.name AS a, b.name AS b FROM goods a JOIN goods b ON a.id = b.id + 1 ORDER BY a.id",
        "SELECT upper(name) AS n, CASE WHEN price > 1 THEN 'dear' ELSE 'cheap' END AS k FROM goods ORDER BY n LIMIT 2",
        "SELECT name FROM goods WHERE price = (SELECT max(price) FROM goods)",
        "SELECT 1 AS one UNION ALL SELECT 2 ORDER BY 1",
        "SELECT id, sum(price) OVER (ORDER BY id) AS s FROM goods ORDER BY id",
    ] {
        let plan = plan_of(sql).await.with_context(|| sql.to_owned())?;
        let got = answer(&mut client, &plan)
            .await
            .with_context(|| sql.to_owned())?;
        ensure!(got == table(&mut client, sql).await?, "{sql}\n{got}");
    }
    // A temporary table hides a stored one, as in SQL.
    update(
        &mut client,
        "CREATE TEMPORARY TABLE goods (id BIGINT, name VARCHAR, price DOUBLE)",
    )
    .await?;
    let got = answer(
        &mut client,
        &plan_of("SELECT count(*) AS n FROM goods").await?,
    )
    .await?;
    ensure!(got.contains("| 0 |"), "{got}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_plan_runs_with_values() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(&mut client, GOODS).await?;
    let plan = plan_of("SELECT name FROM goods WHERE id = CAST($1 AS BIGINT)").await?;
    let request = ActionCreatePreparedSubstraitPlanRequest {
        plan: command(&plan).plan,
        transaction_id: None,
    };
    let action = Action {
        r#type: "CreatePreparedSubstraitPlan".into(),
        body: request.as_any().encode_to_vec().into(),
    };
    let mut results = client.inner_mut().do_action(action).await?.into_inner();
    let result = results.message().await?.context("no result")?;
    let created: ActionCreatePreparedStatementResult = Any::decode(&*result.body)?
        .unpack()?
        .context("another result")?;
    let run = CommandPreparedStatementQuery {
        prepared_statement_handle: created.prepared_statement_handle,
    };
    let descriptor = FlightDescriptor::new_cmd(run.as_any().encode_to_vec());
    for (id, name) in [(2, "saw"), (3, "bolt")] {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![id]));
        let values = RecordBatch::try_from_iter([("id", ids)])?;
        let messages = FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(descriptor.clone()))
            .build(futures::stream::iter([Ok(values)]));
        let messages: Vec<_> = messages.try_collect().await?;
        let bound = client
            .inner_mut()
            .do_put(futures::stream::iter(messages))
            .await?;
        bound.into_inner().message().await?.context("no answer")?;
        let info = client
            .inner_mut()
            .get_flight_info(descriptor.clone())
            .await?;
        let rows = fetch(&mut client, info.into_inner()).await?;
        let got = pretty_format_batches(&rows)?.to_string();
        ensure!(got.contains(name) && rows[0].num_rows() == 1, "{got}");
    }
    Ok(())
}

fn relation(relation: RelType) -> Plan {
    Plan {
        version: Some(datafusion_substrait::substrait::version::version()),
        relations: vec![PlanRel {
            rel_type: Some(plan_rel::RelType::Rel(Rel {
                rel_type: Some(relation),
            })),
        }],
        ..Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_run_is_told_why() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(&mut client, GOODS).await?;
    let good = plan_of("SELECT abs(id) AS a FROM goods").await?;
    let mut newer = good.clone();
    newer.version.get_or_insert_default().minor_number += 1;
    ensure!(answer(&mut client, &newer).await?.contains("| 3 |"));
    // Field 999, of later versions.
    let mut unknown_field = command(&newer);
    let bytes = unknown_field.plan.get_or_insert_default();
    bytes.plan = [&bytes.plan[..], &[0xb8, 0x3e, 1]].concat().into();
    let status = info(&mut client, &unknown_field)
        .await
        .err()
        .context("a field is lost")?;
    let said = status.message().contains("a field that Substrait");
    ensure!(status.code() == Code::Unimplemented && said, "{status:?}");
    newer.version.get_or_insert_default().major_number += 1;
    let mut silent = good.clone();
    silent.version = None;
    let mut unknown = good.clone();
    for extension in &mut unknown.extensions {
        if let Some(extensions::simple_extension_declaration::MappingType::ExtensionFunction(
            function,
        )) = &mut extension.mapping_type
        {
            function.name = "no_such_function:i64".into();
        }
    }
    let mut headless = good.clone();
    headless.relations.clear();
    let rootless = relation(RelType::Cross(Box::default()));
    for (what, plan, code, text) in [
        (
            "a newer version",
            &newer,
            Code::Unimplemented,
            "instead of a version from 0.32.0 to",
        ),
        (
            "no version",
            &silent,
            Code::InvalidArgument,
            "does not say the version",
        ),
        (
            "an unknown function",
            &unknown,
            Code::Unimplemented,
            "no_such_function",
        ),
        (
            "an unknown table",
            &plan_of("SELECT id FROM missing").await?,
            Code::NotFound,
            "\"missing\" does not exist",
        ),
        ("no relation", &headless, Code::Unimplemented, "relation"),
        (
            "a join of nothing",
            &rootless,
            Code::InvalidArgument,
            "cannot be used",
        ),
        (
            "a definition",
            &relation(RelType::Ddl(Box::<DdlRel>::default())),
            Code::Unimplemented,
            "",
        ),
        (
            "a write",
            &relation(RelType::Write(Box::<WriteRel>::default())),
            Code::Unimplemented,
            "",
        ),
    ] {
        let status = refused(&mut client, plan).await.with_context(|| what)?;
        ensure!(
            status.code() == code && status.message().contains(text),
            "{what}: {status:?}"
        );
    }
    let mut other = command(&good);
    let bytes = other.plan.get_or_insert_default();
    bytes.plan = bytes.plan.slice(..bytes.plan.len() / 2);
    let status = info(&mut client, &other)
        .await
        .err()
        .context("half a plan was accepted")?;
    ensure!(status.code() == Code::InvalidArgument, "{status:?}");
    other.plan = None;
    let status = info(&mut client, &other)
        .await
        .err()
        .context("nothing was accepted")?;
    ensure!(status.code() == Code::InvalidArgument, "{status:?}");
    // Columns that the table does not have.
    update(&mut client, "CREATE OR REPLACE TABLE goods (id DATE)").await?;
    let status = refused(&mut client, &good).await?;
    ensure!(status.code() == Code::InvalidArgument, "{status:?}");
    ensure!(
        rows(&mut client, "SELECT count(*) FROM goods")
            .await
            .is_ok()
    );
    Ok(())
}

/// The plan that reads what `read` says, as columns of `goods`.
async fn reading(read: read_rel::ReadType) -> Result<Plan> {
    let mut plan = plan_of("SELECT * FROM goods").await?;
    let mut found = 0;
    for relation in &mut plan.relations {
        if let Some(plan_rel::RelType::Root(root)) = &mut relation.rel_type {
            let input = root.input.as_mut().context("no input")?;
            found += replace(input, &read);
        }
    }
    ensure!(found == 1, "{found} reads in {plan:?}");
    Ok(plan)
}

fn replace(rel: &mut Rel, read: &read_rel::ReadType) -> usize {
    match &mut rel.rel_type {
        Some(RelType::Read(reads)) => {
            let reads: &mut ReadRel = reads;
            reads.read_type = Some(read.clone());
            1
        }
        Some(RelType::Project(project)) => project
            .input
            .as_mut()
            .map_or(0, |input| replace(input, read)),
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_for_administrators_in_plans_too() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut ada = server.client().await?;
    let path = dir.path().join("goods.parquet");
    update(&mut ada, GOODS).await?;
    update(&mut ada, &format!("COPY goods TO '{}'", path.display())).await?;
    let files = |uri: String| {
        read_rel::ReadType::LocalFiles(LocalFiles {
            items: vec![FileOrFiles {
                path_type: Some(PathType::UriFile(uri)),
                ..FileOrFiles::default()
            }],
            ..LocalFiles::default()
        })
    };
    let named = read_rel::ReadType::NamedTable(NamedTable {
        names: vec![path.display().to_string()],
        ..NamedTable::default()
    });
    let plans = [
        reading(files(format!("file://{}", path.display()))).await?,
        reading(named).await?,
    ];
    for plan in &plans {
        ensure!(answer(&mut ada, plan).await?.contains("bolt"));
    }
    update(&mut ada, "CREATE USER ada PASSWORD 'correct horse'").await?;
    for plan in &plans {
        let status = refused(&mut ada, plan).await?;
        ensure!(status.code() == Code::Unauthenticated, "{status:?}");
    }
    ada.handshake("ada", "correct horse").await?;
    update(&mut ada, "CREATE USER bob PASSWORD 'battery staple'").await?;
    let mut bob = server.client().await?;
    bob.handshake("bob", "battery staple").await?;
    for plan in &plans {
        // The raw call carries no token of the client's.
        let mut request = tonic::Request::new(FlightDescriptor::new_cmd(
            command(plan).as_any().encode_to_vec(),
        ));
        let token = format!("Bearer {}", bob.token().context("no token")?);
        request
            .metadata_mut()
            .insert("authorization", token.parse()?);
        let status = bob.inner_mut().get_flight_info(request).await.err();
        let status = status.context("bob reads a file")?;
        ensure!(status.code() == Code::PermissionDenied, "{status:?}");
    }
    Ok(())
}
