//! Answers from the server's own state.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use super::Outcome;
use crate::{Process, QueryContext, WorkerEntry, processes::ProcessState};

pub(super) fn secrets(ctx: &QueryContext) -> Outcome {
    let (names, scopes): (Vec<_>, Vec<_>) =
        ctx.engine.objects().secrets().list().into_iter().unzip();
    let columns: [ArrayRef; 2] = [
        Arc::new(StringArray::from(names)),
        Arc::new(StringArray::from(scopes)),
    ];
    Outcome::rows(secrets_schema(), columns.into())
}

pub(super) fn processlist(ctx: &QueryContext) -> Outcome {
    let (own, identity) = (ctx.id(), ctx.session.identity());
    let processes: Vec<_> = ctx
        .engine
        .processes()
        .into_iter()
        .filter(|process| process.id != own && process.state() != ProcessState::Waiting)
        .filter(|process| identity.admin || process.user == identity.name)
        .collect();
    let text = |value: fn(&Process) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            processes.iter().map(|process| value(process)),
        ))
    };
    let count = |value: fn(&Process) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            processes
                .iter()
                .map(|process| value(process).try_into().unwrap_or(i64::MAX)),
        ))
    };
    let columns = vec![
        count(|process| process.id.0),
        text(|process| &process.session),
        text(|process| &process.client),
        text(|process| process.state().name()),
        count(|process| millis(process.elapsed())),
        Arc::new(Float64Array::from_iter(
            processes.iter().map(|process| process.progress()),
        )) as ArrayRef,
        count(|process| process.rows_out.load(Ordering::Relaxed)),
        text(|process| &process.sql),
        Arc::new(StringArray::from_iter(
            processes.iter().map(|process| process.user.as_deref()),
        )) as ArrayRef,
    ];
    Outcome::rows(processlist_schema(), columns)
}

/// The workers in other processes; without any this process is the worker.
pub(super) fn workers(ctx: &QueryContext) -> Outcome {
    let workers = ctx.engine.workers().list();
    let text = |value: fn(&WorkerEntry) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(workers.iter().map(value)))
    };
    let count = |value: fn(&WorkerEntry) -> u64| -> ArrayRef {
        let counts = workers.iter().map(value);
        Arc::new(Int64Array::from_iter_values(
            counts.map(|count| count.try_into().unwrap_or(i64::MAX)),
        ))
    };
    let used: BooleanArray = workers.iter().map(|worker| Some(worker.used)).collect();
    let columns = vec![
        text(|worker| &worker.id),
        text(|worker| &worker.kind),
        text(|worker| worker.way),
        text(|worker| &worker.build),
        Arc::new(used),
        count(|worker| worker.modules),
        count(|worker| worker.modules_received_total),
        count(|worker| worker.tasks_running),
        count(|worker| worker.tasks_total),
        count(|worker| worker.modules_compiled_total),
        count(|worker| worker.streams_total[0]),
        count(|worker| worker.streams_total[1]),
        count(|worker| worker.streams_total[2]),
        count(|worker| worker.streams_open),
        count(|worker| worker.sent_bytes_total),
        count(|worker| worker.memory_bytes),
    ];
    Outcome::rows(workers_schema(), columns)
}

pub(super) fn workers_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        // How its connection was made.
        Field::new("way", DataType::Utf8, false),
        Field::new("build", DataType::Utf8, false),
        // Whether it gets tasks: only workers of the server's own build do.
        Field::new("used", DataType::Boolean, false),
        Field::new("modules", DataType::Int64, false),
        Field::new("modules_received", DataType::Int64, false),
        Field::new("tasks_running", DataType::Int64, false),
        Field::new("tasks", DataType::Int64, false),
        // The others came with their code.
        Field::new("modules_compiled", DataType::Int64, false),
        // Streams to and from other workers, by the way they took.
        Field::new("streams_direct", DataType::Int64, false),
        Field::new("streams_punched", DataType::Int64, false),
        Field::new("streams_relayed", DataType::Int64, false),
        Field::new("streams_open", DataType::Int64, false),
        // To other workers.
        Field::new("bytes_sent", DataType::Int64, false),
        // Reserved by tasks.
        Field::new("memory_bytes", DataType::Int64, false),
    ]))
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

pub(super) fn processlist_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("session", DataType::Utf8, false),
        Field::new("client", DataType::Utf8, false),
        Field::new("state", DataType::Utf8, false),
        Field::new("elapsed_ms", DataType::Int64, false),
        Field::new("progress", DataType::Float64, true),
        Field::new("rows", DataType::Int64, false),
        Field::new("sql", DataType::Utf8, false),
        Field::new("user", DataType::Utf8, true),
    ]))
}

pub(super) fn secrets_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("scope", DataType::Utf8, false),
    ]))
}
