import CInterprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Handoff calls")
struct HandoffCallTests {
    static let dataSize = 64 << 10
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    func start(_ command: String, _ role: HandoffRole, _ more: [String] = []) throws -> PeerProcess {
        try PeerProcess(command, [directory.path.string, "h", "\(role)", "\(Self.dataSize)"] + more)
    }

    func join(_ role: HandoffRole, dataSize: Int = Self.dataSize) throws(InterprocessError) -> Handoff {
        try Handoff.join(
            "h", as: role, options: HandoffOptions(directory: directory.objects, dataSize: dataSize), until: .after(watchdog))
    }

    @Test("H9 scalars go both ways, with every way of waiting", arguments: HandoffRole.allCases, WaitStrategy.allCases)
    func scalars(role: HandoffRole, strategy: WaitStrategy) throws {
        let server = try start("call-serve", role.other)
        try withExtendedLifetime(server) {
            var side = try join(role)
            side.strategy = strategy
            for number in 0..<1000 as Range<Int64> {
                #expect(try side.call(Add.self, Add.Arguments(number, .max - number), until: .after(watchdog)) == .max)
            }
        }
    }

    @Test("H9 an array is written and read in place on both sides, and nothing is copied", arguments: HandoffRole.allCases)
    func arrays(role: HandoffRole) throws {
        let server = try start("call-serve", role.other)
        try withExtendedLifetime(server) {
            var side = try join(role)
            let numbers = try side.allocate(repeating: Int64(3), count: 1000)
            #expect(try side.span(of: numbers).indices == 0..<1000)
            var span = try side.mutableSpan(of: numbers)
            for index in span.indices { span[index] = Int64(index) }
            // The very bytes: what the other side writes appears behind the address that was had before the call.
            let bytes = unsafe UnsafeRawPointer(side.segment.mapping.data + Int(numbers.offset)).assumingMemoryBound(to: Int64.self)
            #expect(unsafe bytes[999] == 999)
            #expect(try side.call(Doubling.self, numbers) == 499_500)
            #expect(unsafe bytes[999] == 1998)
            let isDoubled = try {
                let after = try side.span(of: numbers)
                return after.indices.allSatisfy { after[$0] == Int64(2 * $0) }
            }()
            #expect(isDoubled)
            // A part of it.
            #expect(try side.call(Doubling.self, numbers.extracting(10..<12)) == 42)
            #expect(unsafe (bytes[9], bytes[10], bytes[11], bytes[12]) == (18, 40, 44, 24))
            #expect(throws: HandoffCallError.mismatch(.count)) { try numbers.extracting(990..<1001) }
            let copied = try side.allocate(copying: ([7, 8, 9] as [Int64]).span)
            #expect(try side.call(Doubling.self, copied) == 24)
        }
    }

    @Test("H9 the child calls, and the parent performs; the child's arrays lie at the data's end")
    func childCalls() async throws {
        let child = try start("call-make", .child, ["everything"])
        var parent = try join(.parent)
        let end = try serveAll(&parent)
        #expect(try await child.line() == "sum 42, doubled 50 to 10, at \(Self.dataSize - 80)")
        #expect(end == nil, "the child is still there")
    }

    /// Serves Add, Doubling and Query until two calls have been answered; then lets the other side go on.
    private func serveAll(_ side: inout Handoff) throws -> HandoffEnd? {
        for _ in 0..<2 {
            switch try side.awaitCall(until: .after(watchdog)) {
            case Add.id: try side.answer(Add.self) { $1.a + $1.b }
            case Doubling.id: try side.answer(Doubling.self) { try $0.double($1) }
            default: throw TestFailure("another call")
            }
        }
        return side.end
    }

    @Test("H9 a method calls its caller back, which changes the array meanwhile", arguments: HandoffRole.allCases)
    func callBack(role: HandoffRole) throws {
        let server = try start("call-serve", role.other)
        try withExtendedLifetime(server) {
            var side = try join(role)
            let numbers = try side.allocate(repeating: Int64(0), count: 10)
            var asked: [UInt32] = []
            let sum = try side.call(Solve.self, numbers, until: .after(watchdog)) { side, method in
                guard method == Query.id else { return }
                try side.answer(Query.self) { side, index in
                    asked.append(index)
                    // What has been answered so far stands in the array.
                    let before = index > 0 ? try side.span(of: numbers)[Int(index) - 1] : -100
                    #expect(before == (Int64(index) - 1) * 100)
                    return Int64(index) * 100
                }
            }
            #expect(sum == 4500 && asked == Array(0..<10))
            #expect(try side.span(of: numbers)[9] == 900)
            // Nobody answers the callbacks: the method fails, and the handoff goes on.
            #expect(throws: HandoffCallError.failed(.unspecified)) { try side.call(Solve.self, numbers) }
            #expect(throws: HandoffCallError.failed(.unspecified)) { try side.call(Solve.self, numbers) { _, _ in } }
            #expect(try side.call(Add.self, Add.Arguments(1, 2)) == 3)
        }
    }

    @Test("H9 calls inside of calls: as many as are possible, and then an error", arguments: [0, 1, 2, 63, 64, 65, 1000] as [Int64])
    func depth(levels: Int64) throws {
        let server = try start("call-serve", .child)
        try withExtendedLifetime(server) {
            var parent = try join(.parent)
            #expect(try parent.descend(levels) == min(levels, Int64(Handoff.maximumDepth)))
            #expect(parent.calls.depth == 0)
            #expect(try parent.call(Add.self, Add.Arguments(1, 2)) == 3)
        }
    }

    enum NoSuch: HandoffMethod { static let id: UInt32 = 99 }

    @Test("H9 an unknown method, and one that fails, are errors of the caller's, and the serving goes on")
    func failures() async throws {
        let server = try start("call-serve", .child)
        var parent = try join(.parent)
        try failing(&parent)
        try await server.expect("joined")
        // An error of another kind is told on its own side too.
        try await server.expect("unforeseen")
        parent.close()
        try await server.expect("ended closed")
    }

    private func failing(_ parent: inout Handoff) throws {
        #expect(throws: HandoffCallError.unknownMethod(99)) { try parent.call(NoSuch.self, NoValue()) }
        #expect(throws: HandoffCallError.failed(HandoffFailure(code: 7))) { try parent.call(Fail.self, 7) }
        #expect(throws: HandoffCallError.failed(.unspecified)) { try parent.call(Fail.self, 0) }
        #expect(try parent.call(Add.self, Add.Arguments(1, 2)) == 3)
    }

    enum LongAdd: HandoffMethod {
        static let id = Add.id
        typealias Arguments = InlineArray<3, Int64>
        typealias Output = Int64
    }
    enum ShortAdd: HandoffMethod {
        static let id = Add.id
        typealias Arguments = Add.Arguments
        typealias Output = Int32
    }
    enum DoublingDoubles: HandoffMethod {
        static let id = Doubling.id
        typealias Arguments = SharedSlice<Double>
        typealias Output = Int64
    }
    enum DoublingBytes: HandoffMethod {
        static let id = Doubling.id
        typealias Arguments = SharedSlice<UInt8>
        typealias Output = Int64
    }
    struct Place: Shareable {
        var offset: UInt64
        var count: UInt64
        var size: UInt32
        var code: UInt32
    }
    enum DoublingAnything: HandoffMethod {
        static let id = Doubling.id
        typealias Arguments = Place
        typealias Output = Int64
    }

    @Test("H9 arguments, output or elements of another size or type are refused")
    func mismatches() throws {
        let server = try start("call-serve", .child)
        try withExtendedLifetime(server) {
            var side = try join(.parent)
            #expect(throws: HandoffCallError.refused(.arguments)) { try side.call(LongAdd.self, [1, 2, 3]) }
            #expect(throws: HandoffCallError.refused(.output)) { try side.call(ShortAdd.self, Add.Arguments(1, 2)) }
            let doubles = try side.allocate(repeating: 1.5, count: 10)
            #expect(throws: HandoffCallError.refused(.element)) { try side.call(DoublingDoubles.self, doubles) }
            let bytes = try side.allocate(repeating: UInt8(1), count: 80)
            #expect(throws: HandoffCallError.refused(.element)) { try side.call(DoublingBytes.self, bytes) }
            let size = UInt64(Self.dataSize)
            func refusal(_ offset: UInt64, _ count: UInt64) -> HandoffCallError? {
                #expect(throws: HandoffCallError.self) {
                    try side.call(DoublingAnything.self, Place(offset: offset, count: count, size: 8, code: 0x71))
                }
            }
            #expect(refusal(4, 1) == .refused(.offset))
            #expect(refusal(size + 8, 0) == .refused(.offset))
            #expect(refusal(.max - 7, 1) == .refused(.offset))
            #expect(refusal(1 << 63, 1) == .refused(.offset))
            #expect(refusal(size, 1) == .refused(.count))
            #expect(refusal(size - 8, 2) == .refused(.count))
            #expect(refusal(0, .max) == .refused(.count))
            #expect(refusal(8, 1 << 61) == .refused(.count))
            #expect(try side.call(DoublingAnything.self, Place(offset: size - 8, count: 1, size: 8, code: 0x71)) == 0)
            #expect(try side.call(Add.self, Add.Arguments(1, 2)) == 3)
        }
    }

    @Test("H9 arrays that are too large are an error with what is free; a method's arrays are released with its answer")
    func room() throws {
        let server = try start("call-serve", .child)
        try withExtendedLifetime(server) {
            var side = try join(.parent)
            let size = Self.dataSize
            #expect(throws: HandoffCallError.noRoom(needed: size + 1, free: size)) {
                try side.allocate(repeating: UInt8(0), count: size + 1)
            }
            #expect(throws: HandoffCallError.noRoom(needed: .max, free: size)) { try side.allocate(repeating: 0, count: .max) }
            let mark = side.mark
            let half = try side.allocate(repeating: UInt8(0), count: size / 2)
            #expect(half.offset == 0)
            // The rest is the other side's for a call at a time.
            for _ in 0..<10 {
                #expect(try side.call(Allocate.self, Int64(size / 2)) == Int64(size / 2))
            }
            #expect(throws: HandoffCallError.refused(.room)) { try side.call(Allocate.self, Int64(size / 2 + 1)) }
            side.release(to: mark)
            #expect(try side.call(Allocate.self, Int64(size)) == 0)
            #expect(try side.allocate(repeating: UInt8(0), count: size).offset == 0)
        }
    }

    @Test("H9 the data's size is what both sides ask for")
    func sizes() async throws {
        let server = try start("call-serve", .child)
        try await eventually("the name") { try directory.names() == ["h"] }
        try meetSizes(server)
    }

    private func meetSizes(_ server: PeerProcess) throws {
        try withExtendedLifetime(server) {
            let error = #expect(throws: InterprocessError.self) {
                _ = try Handoff.join(
                    "h", as: .parent, options: HandoffOptions(directory: directory.objects, dataSize: -1), until: .after(watchdog))
            }
            #expect(error?.code == .invalidArgument)
            var side = try join(.parent, dataSize: 0)
            #expect(side.dataSize == Self.dataSize)
            #expect(try side.call(Add.self, Add.Arguments(1, 2)) == 3)
            let tooSmall = #expect(throws: InterprocessError.self) { _ = try join(.parent, dataSize: Self.dataSize + 1) }
            #expect(tooSmall?.code == .sizeMismatch)
        }
    }

    @Test("H9 P7 the words of a call are where the layout says")
    func layout() {
        #expect(MemoryLayout<SharedSlice<Int64>>.size == MemoryLayout<ipc_handoff_slice>.size)
        #expect(Handoff.maximumScalars == 448 && MemoryLayout<ipc_handoff>.offset(of: \.scalars) == 64)
        let slice = SharedSlice<Int32>(offset: 16, count: 3)
        let bytes = unsafe withUnsafeBytes(of: slice) { unsafe $0.load(as: ipc_handoff_slice.self) }
        #expect(bytes.offset == 16 && bytes.count == 3 && bytes.element_size == 4 && bytes.element_code == UInt32(UInt8(ascii: "i")))
        let codes = [
            SharedSlice<Bool>.code, SharedSlice<Int8>.code, SharedSlice<UInt8>.code, SharedSlice<Int16>.code, SharedSlice<UInt16>.code,
            SharedSlice<Int32>.code, SharedSlice<UInt32>.code, SharedSlice<Int64>.code, SharedSlice<UInt64>.code, SharedSlice<Float>.code,
            SharedSlice<Double>.code,
        ]
        #expect(codes == "?bBhHiIqQfd".utf8.map { UInt32($0) })
        #expect(SharedSlice<Int>.code == codes[7] && SharedSlice<UInt>.code == codes[8] && SharedSlice<Place>.code == 0)
    }
}
