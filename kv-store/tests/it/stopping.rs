//! Members that are asked to stop, as real processes.

use kv_store::txn::KeyRange;

use crate::{cluster::puts, processes::Cluster};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_asked_to_stop_settles_though_clients_hold_on_to_it() {
    let mut cluster = Cluster::start(1).await;
    let client = cluster.client();
    client.write(puts(0, 10, 100)).await.unwrap();
    let all = KeyRange {
        begin: b"/user/".to_vec(),
        end: b"/user0".to_vec(),
    };
    // A stream that goes on for ever, beside the one of the calls.
    let watch = client.watch(&all, None).await.unwrap();
    let mark = cluster.member(1).folder.join("state/1/SETTLED");
    assert!(!mark.exists());
    cluster.member(1).signal("-TERM");
    assert!(cluster.member(1).until_ended().await.success());
    assert!(mark.exists(), "its next opening reads the journal");
    drop(watch);
    cluster.member(1).start_again();
    assert_eq!(
        client.get_now(b"/user/00007").await.unwrap(),
        Some(vec![b'v'; 100])
    );
    assert!(!mark.exists());
}
