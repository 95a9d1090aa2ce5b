/**
 * Histories to proto JSON and back, as `temporal workflow show -o json` writes it. The SDK's historyToJSON and historyFromJSON do the
 * same, but only where npm installs a single protobufjs: gRPC wants 7.x at the top of the tree, so each SDK package gets its
 * own copy of 8.x, and one copy refuses the types of another ("type must be a Type"; SDK 1.24.0). This takes the copy the types are of.
 */
import { createRequire } from 'node:module';
import type { History } from '@temporalio/common/lib/proto-utils.js';

interface ProtoJson<Type> {
  fromJson(type: Type, json: unknown, options: { ignoreUnknownFields: boolean }): History;
  toJson(type: Type, message: object): unknown;
}
interface ProtoRoot<Type> {
  lookupType(name: string): Type;
}
/** Opaque: made by the root, understood by protojson of the same copy. */
interface HistoryType {
  fromObject(history: History): object;
}

const requireBesideTypes = createRequire(import.meta.resolve('@temporalio/proto'));
const protoJson: ProtoJson<HistoryType> = requireBesideTypes('protobufjs/ext/protojson');
const root: ProtoRoot<HistoryType> = requireBesideTypes('@temporalio/proto');
const historyType = root.lookupType('temporal.api.history.v1.History');

export const historyToProtoJson = (history: History): unknown => protoJson.toJson(historyType, historyType.fromObject(history));

/** Fields of a newer server are passed over. */
export const historyFromProtoJson = (json: unknown): History => protoJson.fromJson(historyType, json, { ignoreUnknownFields: true });
