import CInterprocess
import CTestSystem
import SystemPackage
import Testing

/// A segment's file as anybody can read and write it, past the library.
struct SegmentBytes: ~Copyable {
    let file: FileDescriptor

    init(_ path: FilePath, readOnly: Bool = false) throws {
        file = try FileDescriptor.open(path, readOnly ? .readOnly : .readWrite, options: .closeOnExec)
    }

    deinit { try? file.close() }

    static func offset<Value>(of field: KeyPath<ipc_segment_header, Value>) throws -> Int {
        try #require(MemoryLayout<ipc_segment_header>.offset(of: field))
    }

    static func offset<Value>(of field: KeyPath<ipc_peer_slot, Value>, slot: Int) throws -> Int {
        Int(IPC_PAGE) + slot * MemoryLayout<ipc_peer_slot>.stride + (try #require(MemoryLayout<ipc_peer_slot>.offset(of: field)))
    }

    func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) throws -> Value {
        try unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { buffer in
            let status = unsafe test_read_at(file.rawValue, buffer.baseAddress, MemoryLayout<Value>.size, Int64(offset))
            guard status == 0 else { throw Errno(rawValue: -status) }
            return unsafe buffer[0]
        }
    }

    func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) throws {
        var value = value
        let status = unsafe test_write_at(file.rawValue, &value, MemoryLayout<Value>.size, Int64(offset))
        guard status == 0 else { throw Errno(rawValue: -status) }
    }

    func load<Value: BitwiseCopyable>(_ field: KeyPath<ipc_segment_header, Value>) throws -> Value {
        try load(Value.self, at: Self.offset(of: field))
    }

    func store<Value: BitwiseCopyable>(_ value: Value, _ field: KeyPath<ipc_segment_header, Value>) throws {
        try store(value, at: Self.offset(of: field))
    }

    func load<Value: BitwiseCopyable>(_ field: KeyPath<ipc_peer_slot, Value>, slot: Int) throws -> Value {
        try load(Value.self, at: Self.offset(of: field, slot: slot))
    }

    func store<Value: BitwiseCopyable>(_ value: Value, _ field: KeyPath<ipc_peer_slot, Value>, slot: Int) throws {
        try store(value, at: Self.offset(of: field, slot: slot))
    }
}
