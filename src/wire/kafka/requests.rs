//! Which requests there are, under which key, and what answers them. The crate has such a trait too, but only together
//! with all that a broker needs, which takes twice as long to compile.

use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, ApiKey, CreateAclsRequest, CreateAclsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteAclsRequest, DeleteAclsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeAclsRequest, DescribeAclsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, FetchRequest, FetchResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

pub(super) trait Ask: Encodable + HeaderVersion {
    const KEY: i16;
    type Answer: Decodable + HeaderVersion;
}

macro_rules! requests {
    ($($key:ident: $request:ident => $answer:ident),* $(,)?) => {
        $(impl Ask for $request {
            const KEY: i16 = ApiKey::$key as i16;
            type Answer = $answer;
        })*
    };
}

requests! {
    AlterUserScramCredentials: AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse,
    CreateAcls: CreateAclsRequest => CreateAclsResponse,
    CreateTopics: CreateTopicsRequest => CreateTopicsResponse,
    DeleteAcls: DeleteAclsRequest => DeleteAclsResponse,
    DeleteTopics: DeleteTopicsRequest => DeleteTopicsResponse,
    DescribeAcls: DescribeAclsRequest => DescribeAclsResponse,
    DescribeConfigs: DescribeConfigsRequest => DescribeConfigsResponse,
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse,
    Fetch: FetchRequest => FetchResponse,
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse,
    ListOffsets: ListOffsetsRequest => ListOffsetsResponse,
    Metadata: MetadataRequest => MetadataResponse,
    Produce: ProduceRequest => ProduceResponse,
    SaslAuthenticate: SaslAuthenticateRequest => SaslAuthenticateResponse,
    SaslHandshake: SaslHandshakeRequest => SaslHandshakeResponse,
}
