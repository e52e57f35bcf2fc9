import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

extension QueueSuite {
    @Suite("bytes") struct Bytes {
        @Test("C1 byte messages of any size keep their boundaries, round after round of the ring", arguments: [1, 8, 100, 4000, 70_000])
        func model(limit: Int) throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: limit, options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            let most = sender.maximumMessageSize
            #expect(most >= limit)
            var random = SeededRandom.forTest(UInt64(limit))
            var model: [UInt64] = []
            var next: UInt64 = 0
            for _ in 0..<3000 {
                if Int.random(in: 0..<5, using: &random) < 3 {
                    let bytes = NumberedBytes.make(next, limit: most)
                    let failure = sendFailure { () throws(SendError<Void>) in unsafe try sender.trySend(bytes.span.bytes) }
                    if failure == nil {
                        model.append(next)
                        next += 1
                    } else {
                        #expect(failure == .full && !model.isEmpty)
                    }
                } else {
                    let found = try receiver.tryReceive { NumberedBytes.isWhole($0, model.first ?? .max, limit: most) }
                    #expect((found == nil) == model.isEmpty)
                    if !model.isEmpty {
                        #expect(found?.get() == true, "seed \(SeededRandom.runSeed), message \(model[0])")
                        model.removeFirst()
                    }
                }
                #expect(receiver.nextSequence == next - UInt64(model.count))
            }
            while !model.isEmpty {
                let found = try receiver.receive(until: soon) { NumberedBytes.isWhole($0, model.removeFirst(), limit: most) }
                #expect(found?.get() == true)
            }
        }

        @Test("C1 empty messages and messages of the largest size pass; larger ones are refused with the limit") func extremes() throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: 5000, options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            let most = sender.maximumMessageSize
            #expect(most >= 5000)
            for round in 0..<50 {
                let large = [UInt8](repeating: UInt8(round), count: most - round % 3)
                unsafe try sender.trySend([UInt8]().span.bytes)
                let empty = try receiver.receive(until: soon)
                #expect(empty == [])
                unsafe try sender.trySend(large.span.bytes)
                let found = try receiver.receive(until: soon)
                #expect(found == large)
            }
            let tooLarge = [UInt8](repeating: 0, count: most + 1)
            expectNotSent(.tooLarge(limit: most)) { () throws(SendError<Void>) in unsafe try sender.send(tooLarge.span.bytes) }
            expectNotSent(.tooLarge(limit: most)) { () throws(SendError<Void>) in _ = try sender.publish(byteCount: most + 1) { _ in } }
            expectNotSent(.tooLarge(limit: most)) { () throws(SendError<Void>) in _ = try sender.reserve(byteCount: .max) }
            #expect(sender.nextSequence == 100)
        }

        @Test("C1 many empty messages fill the queue and come out one by one") func empties() throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: 1000, options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            var count = 0
            while sendFailure({ () throws(SendError<Void>) in unsafe try sender.trySend([UInt8]().span.bytes) }) == nil { count += 1 }
            #expect(count >= 500)
            for _ in 0..<count {
                let found = try receiver.tryReceive { $0.byteCount }
                #expect(found?.get() == 0)
            }
            let nothing = try receiver.tryReceive { $0.byteCount }
            #expect(nothing == nil)
        }

        @Test("C2 reserve, write in place, publish; a dropped reservation leaves no trace") func reserve() throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: 4096, options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            for number in 0..<UInt64(200) {
                do {
                    var dropped = try sender.reserve(byteCount: 1 + Int(number) * 13 % 3000)
                    var bytes = dropped.bytes
                    for index in 0..<bytes.byteCount { bytes.storeBytes(of: 0xff, toByteOffset: index, as: UInt8.self) }
                }
                #expect(sender.nextSequence == number)
                let nothing = try receiver.tryReceive { $0.byteCount }
                #expect(nothing == nil)
                let size = NumberedBytes.size(number, limit: 3000)
                var reservation = try sender.reserve(byteCount: size, until: soon)
                #expect(reservation.byteCount == size)
                var bytes = reservation.bytes
                NumberedBytes.fill(&bytes, number)
                reservation.publish()
                let found = try receiver.tryReceive { NumberedBytes.isWhole($0, number, limit: 3000) }
                #expect(found?.get() == true)
            }
        }

        @Test("C2 a body that throws sends nothing; one that throws while receiving leaves the message") func bodiesThrow() throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            let failed = try sender.publish(byteCount: 10) { (_) throws(TestFailure) in throw TestFailure("no") }
            if case .failure = failed {} else { Issue.record("the error did not come out") }
            #expect(sender.nextSequence == 0)
            let sum = try sender.publish(byteCount: 3) { bytes in
                for index in 0..<3 { bytes.storeBytes(of: UInt8(index + 1), toByteOffset: index, as: UInt8.self) }
                return 6
            }
            #expect(sum.get() == 6)
            for _ in 0..<2 {
                let result = try receiver.receive { (_) throws(TestFailure) in throw TestFailure("no") }
                if case .failure? = result {} else { Issue.record("the error did not come out") }
                let result2 = try receiver.tryReceive { (_) throws(TestFailure) in throw TestFailure("no") }
                if case .failure? = result2 {} else { Issue.record("the error did not come out") }
            }
            #expect(receiver.nextSequence == 0)
            let message = try receiver.receive()
            #expect(message == [1, 2, 3])
        }

        @Test("C10 a message of 1 GiB is written and read where it stands: it costs its own memory once") func gibibyte() throws {
            let size = 1 << 30
            let status = unsafe try FileSystemStatus(of: FileDescriptor.open("/dev/shm", .readOnly))
            guard status.free > size + size / 4 else { return }
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: size, options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            let before = try residentPrivateBytes()
            var written: UInt = 0
            _ = try sender.publish(byteCount: size) { bytes in
                unsafe bytes.withUnsafeMutableBytes { target in
                    written = UInt(bitPattern: target.baseAddress)
                    for offset in stride(from: 0, to: size, by: 4096) {
                        unsafe target.storeBytes(of: UInt64(offset), toByteOffset: offset, as: UInt64.self)
                    }
                }
            }
            let result = try receiver.receive(until: soon) { bytes -> (UInt, Bool) in
                var isWhole = bytes.byteCount == size
                for offset in stride(from: 0, to: size, by: 4096)
                where unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt64.self) != UInt64(offset) {
                    isWhole = false
                }
                return unsafe bytes.withUnsafeBytes { (UInt(bitPattern: $0.baseAddress), isWhole) }
            }
            let (read, isWhole) = try #require(result?.get())
            #expect(isWhole)
            // Each side has a mapping of its own here; both show the same place of the file.
            #expect(written % 4096 == read % 4096)
            let after = try residentPrivateBytes()
            #expect(after < before + (64 << 20), "a copy was made: \(before) bytes before, \(after) after")
        }
    }
}

/// The private memory of this process that is in use: shared pages do not count.
private func residentPrivateBytes() throws -> Int {
    let file = unsafe try FileDescriptor.open("/proc/self/status", .readOnly)
    defer { try? file.close() }
    var text = [UInt8](repeating: 0, count: 8192)
    let count = try unsafe text.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
    for line in String(decoding: text[..<count], as: UTF8.self).split(separator: "\n") where line.hasPrefix("RssAnon:") {
        return (line.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? 0) * 1024
    }
    throw TestFailure("no RssAnon in /proc/self/status")
}
