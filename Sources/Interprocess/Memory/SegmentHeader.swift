import CInterprocess
import InterprocessSystem
import SystemPackage

/// The unchanging part of a segment's header, read once from the file and checked; nothing in it is believed before
/// ``check(against:size:operation:object:)``.
///
/// **Trust** every field is input. Later code uses the values of this copy, never the shared ones again.
public struct SegmentHeader: Sendable, Equatable {
    public let kind: SegmentKind
    public let element: ElementDescription
    public let elementHash: UInt64
    public let capacity: Int
    public let lifetime: Lifetime
    public let maximumPeers: Int
    /// Bytes of the whole segment.
    public let size: Int
    public let createdNanoseconds: UInt64
    public let creatorPID: Int32
    public let creatorUserID: UInt32
    public let creatorProgram: String
    public let incarnation: UInt64
    public let name: ObjectName?
    let peerOffset: Int
    let objectOffset: Int
    let dataOffset: Int
    let dataSize: Int
    /// Bytes from the beginning on that nobody has to reserve before writing there.
    let reservedSize: Int

    /// Reads and checks the header of `file`, which is `fileSize` bytes long.
    init(reading file: FileDescriptor, fileSize: Int, _ operation: String, _ object: String) throws(InterprocessError) {
        func refuse(_ code: InterprocessError.Code, _ reason: String) -> InterprocessError {
            InterprocessError(code, operation, object, reason)
        }
        guard fileSize >= Int(IPC_PAGE) else {
            throw refuse(
                .notASegment, "it has \(fileSize) bytes and is not a segment of this library; choose another name or remove the file")
        }
        var raw = ipc_segment_header()
        let count: Int
        do {
            count = try unsafe withUnsafeMutableBytes(of: &raw) { try unsafe file.readAll(into: $0, at: 0) }
        } catch {
            throw .system(error as? Errno ?? .ioError, operation, object, "reading its header")
        }
        guard count == MemoryLayout<ipc_segment_header>.size, raw.magic == UInt64(IPC_MAGIC) else {
            throw refuse(.notASegment, "it is not a segment of this library; choose another name or remove the file")
        }
        guard raw.layout_version == UInt32(IPC_LAYOUT_VERSION) else {
            throw refuse(
                .versionMismatch,
                "it has layout version \(raw.layout_version), this program has \(IPC_LAYOUT_VERSION); use the same version of the library, or remove it with \(removal(of: object))"
            )
        }
        guard raw.fingerprint == LayoutTable.fingerprint else {
            throw refuse(
                .versionMismatch, "its layout differs from this program's though the version is the same; use the same build of the library"
            )
        }
        func damaged(_ field: String) -> InterprocessError {
            refuse(.damaged, "the field '\(field)' of its header is impossible; remove it with \(removal(of: object))")
        }
        guard raw.segment_size == UInt64(fileSize) else {
            throw refuse(
                .notASegment,
                "its header says \(raw.segment_size) bytes and the file has \(fileSize): it was truncated or copied in part; remove it")
        }
        guard let lifetime = Lifetime(rawValue: raw.lifetime) else { throw damaged("lifetime") }
        guard raw.peer_capacity >= 1, raw.peer_capacity <= UInt32(IPC_MAXIMUM_PEERS) else { throw damaged("peer_capacity") }
        guard raw.peer_offset == UInt64(IPC_PAGE) else { throw damaged("peer_offset") }
        let peersEnd = Int(IPC_PAGE) + SegmentPlan.roundUpToPage(Int(raw.peer_capacity) * MemoryLayout<ipc_peer_slot>.size)
        guard raw.object_offset == UInt64(peersEnd) else { throw damaged("object_offset") }
        guard raw.data_offset >= raw.object_offset, raw.data_offset % UInt64(IPC_PAGE) == 0, raw.data_offset <= UInt64(fileSize) else {
            throw damaged("data_offset")
        }
        guard raw.data_size % UInt64(IPC_PAGE) == 0, raw.data_size == UInt64(fileSize) - raw.data_offset else { throw damaged("data_size") }
        guard raw.reserved_size >= raw.data_offset, raw.reserved_size <= UInt64(fileSize), raw.reserved_size % UInt64(IPC_PAGE) == 0 else {
            throw damaged("reserved_size")
        }
        guard raw.element_size < UInt64(SegmentPlan.maximumSize) else { throw damaged("element_size") }
        guard raw.element_alignment.nonzeroBitCount == 1, raw.element_alignment <= 4096 else { throw damaged("element_alignment") }
        // The capacity of plain bytes is what their users may touch.
        let largest = raw.kind == SegmentKind.plain.rawValue ? raw.data_size : UInt64(SegmentPlan.maximumSize)
        guard raw.capacity <= largest else { throw damaged("capacity") }

        kind = SegmentKind(rawValue: raw.kind)
        element = ElementDescription(
            identifier: text(in: &raw, \.element_identifier, 128), size: Int(raw.element_size), alignment: Int(raw.element_alignment))
        elementHash = raw.element_hash
        capacity = Int(raw.capacity)
        self.lifetime = lifetime
        maximumPeers = Int(raw.peer_capacity)
        size = fileSize
        createdNanoseconds = raw.created_ns
        creatorPID = Int32(bitPattern: raw.creator_pid)
        creatorUserID = raw.creator_uid
        creatorProgram = text(in: &raw, \.creator_program, 32)
        incarnation = raw.incarnation
        name = unsafe withUnsafeBytes(of: raw.name) { unsafe ObjectName(sharedBytes: Array($0)) }
        peerOffset = Int(raw.peer_offset)
        objectOffset = Int(raw.object_offset)
        dataOffset = Int(raw.data_offset)
        dataSize = Int(raw.data_size)
        reservedSize = Int(raw.reserved_size)
    }

    /// Refuses what was made under another name than `name`, under which its file stands. Two files that say that they are the same object
    /// would share neither messages nor peers, and each would look like the other's whole truth.
    func checkName(isAt name: String, _ operation: String) throws(InterprocessError) {
        if let made = self.name?.description {
            if made == name { return }
            throw InterprocessError(
                .nameMismatch, operation, name,
                "it was made as '\(made)', and this file is a copy of it or was renamed; rename it to what it was (mv), or remove it with \(removal(of: name))"
            )
        }
        throw InterprocessError(
            .nameMismatch, operation, name,
            "it was made without a name, and this file is a copy of it; pass its descriptor on instead, and remove the copy with \(removal(of: name))"
        )
    }

    /// Compares with what an opener expects.
    ///
    /// - Parameter minimumCapacity: in the object's unit; nil accepts any.
    func check(
        kind: SegmentKind, element: ElementDescription?, objectSize: Int, minimumCapacity: Int?, _ operation: String, _ object: String
    ) throws(InterprocessError) {
        guard self.kind == kind else {
            throw InterprocessError(.kindMismatch, operation, object, "it is a \(self.kind), not a \(kind); choose another name")
        }
        if let element {
            guard self.element == element, elementHash == element.hash else {
                throw InterprocessError(
                    .elementMismatch, operation, object,
                    "it holds \(self.element.summary), and this program expects \(element.summary); use the same type on both sides, or another name"
                )
            }
        }
        guard dataOffset - objectOffset >= objectSize else {
            throw InterprocessError(.damaged, operation, object, "its control block is too small; remove it with \(removal(of: object))")
        }
        if let minimumCapacity, capacity < minimumCapacity {
            throw InterprocessError(
                .sizeMismatch, operation, object,
                "it was made with capacity \(capacity) and \(minimumCapacity) is needed; give the same capacity (of a handoff: `HandoffOptions.dataSize`) on both sides, or remove it first"
            )
        }
    }

    /// Fills the first page of a new segment, before it has a name.
    static func write(_ plan: SegmentPlan, name: ObjectName?, creator: ProcessIdentity, to base: UnsafeMutableRawPointer) {
        var raw = ipc_segment_header()
        raw.magic = UInt64(IPC_MAGIC)
        raw.layout_version = UInt32(IPC_LAYOUT_VERSION)
        raw.kind = plan.kind.rawValue
        raw.fingerprint = LayoutTable.fingerprint
        raw.segment_size = UInt64(plan.segmentSize)
        raw.created_ns = wallClockNanoseconds()
        raw.creator_pid = UInt32(bitPattern: creator.pid)
        raw.creator_uid = creator.userID
        raw.lifetime = plan.lifetime.rawValue
        raw.peer_capacity = UInt32(plan.maximumPeers)
        raw.peer_offset = UInt64(plan.peerOffset)
        raw.object_offset = UInt64(plan.objectOffset)
        raw.data_offset = UInt64(plan.dataOffset)
        raw.data_size = UInt64(plan.roundedDataSize)
        raw.reserved_size = UInt64(plan.reservedSize)
        raw.capacity = UInt64(plan.capacity)
        raw.element_size = UInt64(plan.element.size)
        raw.element_alignment = UInt64(plan.element.alignment)
        raw.element_hash = plan.element.hash
        raw.incarnation = randomUInt64()
        copyText(name?.bytes ?? [], into: &raw.name)
        copyText(creator.program.utf8.prefix(31), into: &raw.creator_program)
        copyText(plan.element.identifier.utf8.prefix(128), into: &raw.element_identifier)
        unsafe base.storeBytes(of: raw, as: ipc_segment_header.self)
    }
}

/// The command that removes the file whose printed name is `name`: in quotes where a shell would take it for something else.
private func removal(of name: String) -> String {
    if (try? ObjectName(name)) != nil { return "'ipc remove \(name)'" }
    return "\"ipc remove '\(name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'\""
}

private func text<Field>(in raw: inout ipc_segment_header, _ field: KeyPath<ipc_segment_header, Field>, _ size: Int) -> String {
    unsafe withUnsafeBytes(of: raw[keyPath: field]) { unsafe sharedText($0) }
}

/// The text that begins a field: up to the first zero, with what is not printable replaced, since it may be shown on a terminal.
func sharedText(_ bytes: UnsafeRawBufferPointer) -> String {
    let printable = unsafe bytes.prefix { $0 != 0 }.map { (0x20..<0x7f).contains($0) || $0 >= 0x80 ? $0 : UInt8(ascii: "?") }
    return String(decoding: printable, as: UTF8.self)
}

/// Copies text into a field of fixed size that is zero.
func copyText<Field>(_ text: some Collection<UInt8>, into field: inout Field) {
    unsafe withUnsafeMutableBytes(of: &field) { bytes in
        let isCopied: Void? = text.withContiguousStorageIfAvailable { text in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: text.prefix(bytes.count))))
        }
        guard isCopied == nil else { return }
        for (index, byte) in text.prefix(bytes.count).enumerated() { unsafe bytes[index] = byte }
    }
}
