import CTestSystem
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess
@testable import InterprocessSystem

/// What a test of leaks does again and again, in a process of its own.
struct Operation: Sendable {
    let name: String
    /// Names that stand in the directory before, made by somebody else.
    let existing: [String]
    /// Returns what it opened.
    let run: @Sendable (ObjectDirectory) throws -> any AnyObject & Sendable

    static let all: [Operation] = [
        Operation(name: "create", existing: []) { try Segment.create("new", size: 10_000, in: $0) },
        Operation(name: "create until removed", existing: []) { directory in
            Kept(try Segment.create("new", size: 10_000, in: directory, lifetime: .untilRemoved)) { _ = try? directory.remove("new") }
        },
        Operation(name: "open", existing: ["old"]) { try Segment.open("old", in: $0) },
        Operation(name: "openOrCreate what is not there", existing: []) { try Segment.openOrCreate("new", size: 10_000, in: $0) },
        Operation(name: "openOrCreate what is there", existing: ["old"]) { try Segment.openOrCreate("old", size: 10, in: $0) },
        Operation(name: "anonymous", existing: []) { _ in try Segment.anonymous(size: 10_000) },
        Operation(name: "open by descriptor", existing: []) { _ in
            let segment = try Segment.anonymous(size: 10_000)
            return Kept(try Segment.open(descriptor: segment.descriptor)) { _ = segment }
        },
        Operation(name: "send", existing: []) { Kept(side: try Sender<UInt64>(to: "queue", options: QueueOptions(directory: $0))) },
        Operation(name: "latest value", existing: []) { directory in
            let latest = try LatestValue(named: "latest", initial: 5, options: SynchronizationOptions(directory: directory))
            try latest.store(6)
            return latest
        },
        Operation(name: "receive", existing: []) { Kept(side: try ByteReceiver(from: "queue", options: QueueOptions(directory: $0))) },
    ]
}

/// Keeps something open, and does something when it is let go.
final class Kept<Value: ~Copyable & Sendable>: Sendable {
    private let value: Value
    private let end: @Sendable () -> Void

    init(_ value: consuming Value, _ end: @escaping @Sendable () -> Void) {
        self.value = value
        self.end = end
    }

    convenience init(side value: consuming Value) { self.init(value) {} }

    deinit { end() }
}

/// The directory and the counts of one test, for processes that run nothing else.
struct LeakCheck {
    let directory: TemporaryDirectory
    private let others: [Segment]
    private let names: [String]
    private let before: ResourceCount

    init(_ operation: Operation) throws {
        directory = try TemporaryDirectory()
        let objects = directory.objects
        others = try operation.existing.map { try Segment.create(ObjectName($0), size: 10_000, in: objects) }
        names = try directory.names()
        // What an operation before this one had open goes a moment later.
        try eventuallyBlocking("no anonymous segment is open") {
            let now = ResourceCount.now("/memfd:")
            return !now.descriptors.contains { $0.contains("/memfd:") } && now.mappings.isEmpty
        }
        before = ResourceCount.now(directory.path.string)
    }

    func expectNothingLeft(_ what: String) throws {
        expectSame(before, directory, what)
        #expect(try directory.names() == names, "\(what)")
        for segment in others { #expect(segment.peers.count == 1, "\(what)") }
    }
}

/// What was open before is open now, and no more. The keeper lets go of a mapping a moment after it has answered.
private func expectSame(_ before: ResourceCount, _ directory: TemporaryDirectory, _ what: String) {
    var now = ResourceCount.now(directory.path.string)
    let isSame: Void? = try? eventuallyBlocking("the same resources", within: .seconds(60)) {
        now = ResourceCount.now(directory.path.string)
        return now == before
    }
    #expect(isSame != nil, "\(what): before \(before); now \(now)")
}

@Suite("Nothing is leaked")
struct ResourceTests {
    @Test("N8 opening and closing 200 times leaves no descriptor, mapping, name or peer")
    func cycles() async {
        await #expect(processExitsWith: .success) {
            for operation in Operation.all {
                let check = try LeakCheck(operation)
                _ = try operation.run(check.directory.objects)  // threads and the like, once
                let lines = addressMap().count
                for _ in 0..<200 { _ = try operation.run(check.directory.objects) }
                try check.expectNothingLeft(operation.name)
                // The allocator may have grown a little; 200 leaked mappings are more.
                #expect(addressMap().count < lines + 20, "\(operation.name)")
            }
        }
    }

    @Test("N8 refusals leave nothing")
    func refusals() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let objects = directory.objects
            let queue = try Segment.anonymousQueue(of: UInt64.self)
            let segment = try Segment.create("a", size: 100, in: objects, maximumPeers: 1)
            let refusals: [@Sendable () throws -> Void] = [
                { _ = try Segment.open("a", in: objects) },  // full
                { _ = try Segment.open("a", minimumSize: 200, in: objects) },
                { _ = try Segment.create("a", size: 1, in: objects) },
                { _ = try Segment.open("b", in: objects) },
                { _ = try Receiver<UInt64>(from: "a", options: QueueOptions(directory: objects)) },
                { _ = try Segment.open(descriptor: queue.descriptor) },
                { _ = try Segment.create("b", size: 1 << 39, in: objects) },
                { _ = try Receiver<UInt8>(descriptor: queue.descriptor) },
            ]
            let before = ResourceCount.now(directory.path.string)
            for refusal in refusals {
                for _ in 0..<20 { #expect(throws: InterprocessError.self) { try refusal() } }
            }
            expectSame(before, directory, "refusals")
            #expect(try directory.names() == ["a"])
            #expect(segment.peers.count == 1)
        }
    }

    /// The calls, and what each may usually fail with besides an interruption.
    private static let calls: [(SystemCallName, Errno)] = [
        ("open", .tooManyOpenFiles), ("open(O_TMPFILE)", .tooManyOpenFilesInSystem), ("fstat", .ioError), ("fstatat", .ioError),
        ("fstatvfs", .noFunction), ("fchmod", .notPermitted), ("posix_fallocate", .noSpace), ("mmap", .noMemory), ("pread", .ioError),
        ("linkat", .noSpace), ("unlinkat", .notPermitted), ("fcntl(F_OFD_SETLK)", .noLocks), ("fcntl(F_ADD_SEALS)", .notPermitted),
        ("fcntl(F_GET_SEALS)", .invalidArgument), ("memfd_create", .tooManyOpenFiles), ("membarrier", .noFunction),
    ]

    @Test("N8 each system call may fail in each way: the error is typed, nothing is left, and the next try works")
    func faults() async {
        await #expect(processExitsWith: .success) {
            var happened = 0
            for operation in Operation.all {
                let check = try LeakCheck(operation)
                _ = try operation.run(check.directory.objects)
                for (call, usual) in ResourceTests.calls {
                    for error in [usual, .interrupted] { happened += try ResourceTests.sweep(operation, call, error, check) }
                }
            }
            // Faults that do happen: a sweep of calls that nobody makes would prove nothing.
            #expect(happened > 150, "\(happened)")
        }
    }

    /// Lets the first, the second … call of a name fail, until the operation makes no more of them. Returns how many did.
    private static func sweep(_ operation: Operation, _ call: SystemCallName, _ error: Errno, _ check: LeakCheck) throws -> Int {
        for skip in 0..<100 {
            let what = "\(operation.name): \(error) from \(call) after \(skip)"
            var opened: (any AnyObject & Sendable)?
            var isOver = false
            do {
                try SystemCallFaults.withFault(call, error, afterSkipping: skip) {
                    defer { isOver = SystemCallFaults.isPending }
                    opened = try operation.run(check.directory.objects)
                }
            } catch {
                #expect(error is InterprocessError, "\(what)")
                #expect(!"\(error)".isEmpty)
            }
            withExtendedLifetime(opened) {}
            opened = nil
            try check.expectNothingLeft(what)
            _ = try operation.run(check.directory.objects)
            if isOver { return skip }
        }
        Issue.record("\(operation.name) makes \(call) without end")
        return 0
    }

    @Test("N8 a process that cannot start its keeper says so, and can later")
    func keeper() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            for (call, error) in [
                ("pthread_atfork", .noMemory), ("pthread_create", .resourceTemporarilyUnavailable), ("futex_waitv", .noFunction),
            ] as [(SystemCallName, Errno)] {
                let before = ResourceCount.now(directory.path.string)
                let failure = SystemCallFaults.withFault(call, error) {
                    refusal { _ = try Segment.create("a", size: 1, in: directory.objects) }
                }
                #expect(failure?.errno == error, "\(call)")
                if error == .noFunction { #expect(failure?.description.contains("Linux 5.16") == true) }
                expectSame(before, directory, "\(call)")
                #expect(try directory.names() == [], "\(call)")
            }
            let segment = try Segment.create("a", size: 1, in: directory.objects)
            #expect(segment.peers.count == 1)
            // What runs in the child of a fork was installed in the second try.
            #expect(try isDetachedInChild(segment))
        }
    }
}

/// Whether a child of `fork` finds zeroes where its parent has the segment.
private func isDetachedInChild(_ segment: Segment) throws -> Bool {
    let context = unsafe Unmanaged.passUnretained(segment).toOpaque()
    let pid = unsafe test_fork(
        { context in
            let segment = unsafe Unmanaged<Segment>.fromOpaque(context!).takeUnretainedValue()
            return unsafe segment.mapping.base.load(as: UInt64.self) == 0 ? 0 : 1
        }, context)
    guard pid > 0 else { throw Errno(rawValue: -pid) }
    var status: CInt = 0
    unsafe waitpid(pid, &status, 0)
    return status == 0
}
