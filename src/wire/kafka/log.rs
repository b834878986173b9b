//! Messages of a topic: appended to partition 0 and read from its beginning.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest, ProduceRequest};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::admin::topic_name;
use super::connection::{Connection, lost};
use super::{Rows, good, only, refused};
use crate::wire::fault::Fault;

/// UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER: also said of a topic that was made a
/// moment ago.
const SETTLING: [i16; 3] = [3, 5, 6];

/// How long such a topic is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of all messages that are answered.
const LARGEST_FETCH: i32 = 1024 * 1024;

/// The offset of the first message that is still kept.
const EARLIEST: i64 = -2;

pub(super) async fn produce(broker: &mut Connection, topic: &str, value: &str) -> Result<Rows, Fault> {
    let batch = encode(value, jiff::Timestamp::now().as_millisecond())?;
    let begun = Instant::now();
    loop {
        let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch.clone()));
        let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![partition]);
        // -1: answered when it is kept.
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
        let result = only(only(broker.ask(9, &request).await?.responses)?.partition_responses)?;
        if SETTLING.contains(&result.error_code) && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        good(result.error_code, result.error_message.as_ref())?;
        return Ok(Rows::new());
    }
}

pub(super) async fn fetch(broker: &mut Connection, topic: &str) -> Result<Rows, Fault> {
    let begin = beginning(broker, topic).await?;
    let partition =
        FetchPartition::default().with_partition(0).with_fetch_offset(begin).with_partition_max_bytes(LARGEST_FETCH);
    let wanted = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        // What is there, now.
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(LARGEST_FETCH)
        .with_session_epoch(-1)
        .with_topics(vec![wanted]);
    let answer = broker.ask(12, &request).await?;
    good(answer.error_code, None)?;
    let partition = only(only(answer.responses)?.partitions)?;
    good(partition.error_code, None)?;
    decode(partition.records.unwrap_or_default())
}

async fn beginning(broker: &mut Connection, topic: &str) -> Result<i64, Fault> {
    let begun = Instant::now();
    loop {
        let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(EARLIEST);
        let wanted = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
        let found = only(only(broker.ask(7, &request).await?.topics)?.partitions)?;
        if SETTLING[1..].contains(&found.error_code) && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        good(found.error_code, None)?;
        return Ok(found.offset);
    }
}

/// A batch of one message without a key.
pub(super) fn encode(value: &str, now_ms: i64) -> Result<Bytes, Fault> {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: now_ms,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options)
        .map_err(|e| Fault::Refused("request".into(), e.to_string()))?;
    Ok(batch.freeze())
}

/// The messages of all whole batches; the last one may have been cut by the broker.
pub(super) fn decode(batches: Bytes) -> Result<Rows, Fault> {
    let mut whole = batches.slice(..end_of_whole(&batches));
    if whole.is_empty() {
        return Ok(Rows::new());
    }
    let sets = match RecordBatchDecoder::decode_all(&mut whole) {
        Ok(sets) => sets,
        // We write none; a user may.
        Err(e) if e.to_string().contains("ompression") => {
            return Err(refused(76, Some("the messages are compressed")));
        }
        Err(e) => return Err(lost(format!("the messages make no sense: {e}"))),
    };
    let records = sets.into_iter().flat_map(|set| set.records).filter(|r| !r.control);
    Ok(records.map(|r| vec![r.value.map(|v| String::from_utf8_lossy(&v).into_owned())]).collect())
}

/// Each batch begins with its first offset (8 bytes) and the length of the rest (4 bytes).
fn end_of_whole(batches: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = batches.get(end + 8..end + 12) {
        let length = length.try_into().map(i32::from_be_bytes).ok().and_then(|n| usize::try_from(n).ok());
        match length.map(|n| end + 12 + n) {
            Some(next) if next <= batches.len() => end = next,
            _ => break,
        }
    }
    end
}
