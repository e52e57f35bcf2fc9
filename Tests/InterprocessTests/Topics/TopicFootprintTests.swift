import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

/// What a topic takes of memory.
@Suite("Topic: memory") struct TopicFootprintTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }

    @Test(
        "C6 the topic's footprint is what its documentation says",
        arguments: [
            (1, 2, 1, TopicPublishers.any), (1000, 32, 4, .any), (65_536, 300, 8, .any), (1000, 32, 4, .one), (65_536, 300, 40, .one),
        ])
    func footprint(_ capacity: Int, _ peers: Int, _ held: Int, _ kind: TopicPublishers) throws {
        struct Small: Shareable { var a = 0, b = 0, c = 0 }
        var options = TopicOptions(directory: directory.objects, maximumPeers: peers, maximumHeld: held, publishers: kind)
        var entries = 1
        while entries < capacity { entries *= 2 }
        let places = entries + peers * (held + 1)
        let hints = ((places + 31) / 32 * 4 + 63) / 64 * 64
        let record = kind == .any ? 128 : (36 + 4 * (held + 1) + 127) / 128 * 128
        let log = (8 * entries + 63) / 64 * 64
        let control = 512 + log + places * (peers > 256 ? 128 : 64) + hints + record * peers
        let whole = 4096 + pages(peers * 128) + pages(control) + pages(places * 24)
        let topic = try Publisher<Small>(to: "t", capacity: capacity, options: options)
        #expect(topic.segment.header.size == whole && topic.capacity == entries)
        #expect(try FileStatus(of: topic.segment.file.descriptor).reservedBytes == whole)
        // Of large messages nothing is reserved at first.
        options.maximumPeers = 2
        options.maximumHeld = 1
        let large = try BytePublisher(to: "b", capacity: capacity, maximumMessageSize: 1 << 20, options: options)
        #expect(try FileStatus(of: large.segment.file.descriptor).reservedBytes == large.segment.header.dataOffset)
    }

    @Test(
        "C6 the memory of large messages is that of those in the log, and of those on loan or held, however many were published",
        arguments: [TopicPublishers.any, .one])
    func lazily(_ kind: TopicPublishers) throws {
        let options = TopicOptions(directory: directory.objects, maximumPeers: 4, maximumHeld: 4, publishers: kind)
        var publisher = try BytePublisher(to: "t", capacity: 8, maximumMessageSize: 1 << 20, options: options)
        var other: BytePublisher?
        if kind == .any { other = try BytePublisher(to: "t", maximumMessageSize: 1 << 20, options: options) }
        var subscriber = try ByteSubscriber(to: "t", .lossy, options: options)
        func used() throws -> Int { try FileStatus(of: publisher.segment.file.descriptor).reservedBytes }
        let before = try used()
        let message = [UInt8](repeating: 1, count: 10_000)
        try publisher.publish(message)
        #expect(try used() == before + 12_288)
        for _ in 0..<100 {
            try publisher.publish(message)
            try other?.publish(message)
        }
        // The log, and a spare of each publisher.
        #expect(try used() <= before + (8 + 2) * 12_288)
        let first = try must(try subscriber.take())
        let second = try must(try subscriber.take())
        for _ in 0..<100 { try publisher.publish(message) }
        #expect(try used() <= before + (8 + 2 + 2) * 12_288)
        #expect(first.byteCount == 10_000 && second.byteCount == 10_000)
    }
}
