import InterprocessSystem
import SystemPackage

/// How a stream is cut into messages. All processes of a demonstration have the same.
struct DemoPlan: Equatable {
    /// Bytes of the file, and of the stream: the file so many times.
    let fileSize: Int, streamSize: Int
    /// Bytes of the stream in each message but the last.
    let chunk: Int

    static let largestChunk = 128 << 10

    /// Repeats the file until the stream has at least `size` bytes, and enough messages that there is a middle.
    init(fileSize: Int, atLeast size: Int) {
        self.fileSize = fileSize
        let size = max(size, 16)
        let times = (size - 1) / fileSize + 1
        streamSize = times * fileSize
        chunk = min(Self.largestChunk, streamSize / 16)
    }

    var repeats: Int { streamSize / fileSize }
    var messages: Int { (streamSize - 1) / chunk + 1 }
    func range(ofMessage number: Int) -> Range<Int> { number * chunk..<min((number + 1) * chunk, streamSize) }
}

/// The file that is streamed, mapped into memory, as a stream that repeats it.
@safe
struct DemoContent: ~Copyable {
    private let mapping: MemoryMapping
    /// The file, or for a small one several in a row.
    private let bytes: UnsafeRawBufferPointer

    private static let smallestBlock = 4 << 20

    /// - Throws: ``CommandFailure`` if the file cannot be read.
    init(_ path: FilePath) throws(CommandFailure) {
        let size = try Self.fileSize(path)
        let copies = size < Self.smallestBlock ? Self.smallestBlock / size : 1
        unsafe mapping = try Self.map(path, size, copies)
        unsafe bytes = UnsafeRawBufferPointer(start: mapping.base, count: copies * size)
    }

    private static func map(_ path: FilePath, _ size: Int, _ copies: Int) throws(CommandFailure) -> MemoryMapping {
        do throws(Errno) {
            let file = try Self.open(path)
            let mapping = try unsafe MemoryMapping(reserving: copies * size)
            if copies == 1 {
                try unsafe mapping.mapShared(file.descriptor, from: 0, at: 0, size: size, readOnly: true, populate: true)
            } else {
                try unsafe mapping.mapPrivate(at: 0, size: copies * size)
                let first = unsafe UnsafeMutableRawBufferPointer(start: mapping.base, count: size)
                guard try unsafe file.descriptor.readAll(into: first, at: 0) == size else { throw Errno.ioError }
                for copy in 1..<copies { unsafe (mapping.base + copy * size).copyMemory(from: mapping.base, byteCount: size) }
            }
            return unsafe mapping
        } catch {
            throw CommandFailure("cannot read '\(path)': \(error)")
        }
    }

    /// The size of the file at `path`, which must be a plain file that is not empty.
    static func fileSize(_ path: FilePath) throws(CommandFailure) -> Int {
        let status: FileStatus
        do throws(Errno) {
            let file = try open(path)
            status = try FileStatus(of: file.descriptor)
        } catch {
            throw CommandFailure("cannot open '\(path)': \(error)")
        }
        guard status.kind == .regular else { throw CommandFailure("cannot stream '\(path)': it is not a plain file") }
        guard status.size > 0 else { throw CommandFailure("cannot stream '\(path)': it is empty") }
        return status.size
    }

    private static func open(_ path: FilePath) throws(Errno) -> OwnedDescriptor {
        do {
            return OwnedDescriptor(owning: try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]))
        } catch {
            throw error as? Errno ?? .ioError
        }
    }

    /// Calls `body` with the pieces of memory in which `range` of the stream stands, in order.
    func forEachPiece<E: Error>(of range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
        var position = range.lowerBound
        while position < range.upperBound {
            let start = unsafe position % bytes.count
            let count = unsafe min(bytes.count - start, range.upperBound - position)
            try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
            position += count
        }
    }
}
