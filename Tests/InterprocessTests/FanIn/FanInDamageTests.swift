import InterprocessSystem
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

@Suite("Damaged lanes of a fan-in queue")
struct FanInDamageTests {
    private let directory: TemporaryDirectory
    private var options: FanInOptions { FanInOptions(directory: directory.objects, maximumSenders: 2) }

    init() throws { directory = try TemporaryDirectory() }

    private func sender() throws -> FanInSending<Int> { FanInSending(try Sender<Int>(toFanIn: "q", options: options)) }
    private func receiver() throws -> FanInReceiving<Int> { FanInReceiving(try FanInReceiver<Int>(from: "q", options: options)) }

    struct Wide: Shareable { var value = SIMD2<UInt64>(1, 2) }

    /// Says in a lane that all before `position` was taken.
    private func claim(_ position: UInt64, in lane: QueueWords) {
        for index in 0..<2 {
            lane.progress(index).position.storeRelaxed(position)
            lane.progress(index).remaining.storeRelaxed(0)
        }
        lane.consumed.storeRelease(position)
    }

    /// Joins after it was said that the receiver is so many bytes before the ring's end.
    private func join<Element: Shareable>(_ name: ObjectName, _ type: Element.Type, bytesBeforeEnd: Int) throws {
        var options = options
        options.maximumSenders = 1
        let receiver = FanInReceiving(try FanInReceiver<Element>(from: name, options: options))
        try Sender<Element>(toFanIn: name, options: options).close()
        let lane = try FanInWords(checking: receiver.segment.mapping).lane(0)
        claim(UInt64(lane.ringRange.count - bytesBeforeEnd), in: lane)
        #expect(try receiver.waiting == 0)
        expectNotOpened(.damaged) { () throws(InterprocessError) in _ = try Sender<Element>(toFanIn: name, options: options) }
        var set = WaitSet()
        let source = try receiver.add(to: &set)
        #expect(try set.poll() == [WaitSet.Event(source: source, condition: .ready)])
        expectNotReceived(.damaged("consumed")) { () throws(ReceiveError) in _ = try receiver.tryReceive() }
    }

    @Test("X1 X2 a lane whose receiver is said to be where no record can begin is damaged, and nothing beyond its ring is read")
    func placeOfNoRecord() throws {
        try join("narrow", Int.self, bytesBeforeEnd: 1)
        try join("wide", Wide.self, bytesBeforeEnd: 8)
    }

    @Test("X1 X2 a set reports a lane with an impossible header once; then the others go on, and it is quiet")
    func header() throws {
        let receiver = try receiver()
        let words = try FanInWords(checking: receiver.segment.mapping)
        var set = WaitSet()
        let source = try receiver.add(to: &set)
        let first = try sender()
        let lane = try #require(words.lanes.first { $0.wasUsed })
        let second = try sender()
        unsafe SharedUInt64(at: lane.ring + Int(lane.consumed.loadRelaxed())).storeRelease(1)
        #expect(try set.poll().map(\.source) == [source])
        #expect(throws: ReceiveError.damaged("header")) { try receiver.tryReceive() }
        #expect(try set.poll().isEmpty)
        #expect(throws: WaitError.deadline) { try set.wait(until: .after(.milliseconds(5))) }
        first.close()
        #expect(try set.poll().isEmpty)
        try second.send(2)
        #expect(try set.poll().map(\.source) == [source])
        #expect(try receiver.tryReceive() == 2)
        #expect(try set.poll().isEmpty)
    }

    @Test("X1 X2 a lane in which a set finds damage is reported by the receiver, and the set keeps the others")
    func consumed() throws {
        let receiver = try receiver()
        let words = try FanInWords(checking: receiver.segment.mapping)
        var set = WaitSet()
        let source = try receiver.add(to: &set)
        let first = try sender()
        let lane = try #require(words.lanes.first { $0.wasUsed })
        let second = try sender()
        claim(3, in: lane)
        for _ in 0..<2 { #expect(try set.poll() == [WaitSet.Event(source: source, condition: .ready)]) }
        #expect(throws: ReceiveError.damaged("consumed")) { try receiver.tryReceive() }
        #expect(try set.poll().isEmpty)
        #expect(try receiver.tryReceive() == nil)
        try second.send(2)
        #expect(try set.poll() == [WaitSet.Event(source: source, condition: .ready)])
        #expect(try receiver.tryReceive() == 2)
        first.close()
        #expect(try set.poll().isEmpty)
    }

    @Test("X1 X2 what waits is never more than the rings hold, whatever becomes of the lanes' words meanwhile", arguments: [62, 63])
    func statistics(bit: UInt64) throws {
        let receiver = try receiver()
        let (first, second) = (try sender(), try sender())
        let mapping = receiver.segment.mapping
        let lanes = try FanInWords(checking: mapping).lanes
        for lane in lanes { lane.progress(1).position.storeRelaxed(1 << bit) }
        let isOver = Atomic<Bool>(false)
        let scribbler = try TestThread {
            while !isOver.load(ordering: .relaxed) {
                for lane in lanes { lane.consumed.storeRelease(lane.consumed.loadRelaxed() ^ 1 << bit) }
            }
        }
        for _ in 0..<100_000 {
            guard let found = try? FanInSegment.statistics(mapping, "q") else { continue }
            guard found.waitingBytes <= found.ringBytes else { throw TestFailure("\(found)") }
        }
        isOver.store(true, ordering: .relaxed)
        try scribbler.join()
        withExtendedLifetime((first, second)) {}
    }
}
