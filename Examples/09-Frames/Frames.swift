import Interprocess
import InterprocessSystem
import SystemPackage

/// Camera frames as a latest value: written in place by one program, read by any number of others, each at its own pace and each frame whole.
///
///     swift run Frames watch &     # as many as you like; a slow one holds up nobody
///     swift run Frames record 300
@main
struct Frames {
    static let (width, height) = (640, 480)

    /// A picture of grey pixels.
    struct Frame: Shareable {
        var number: UInt64 = 0
        /// After the last one nobody needs to wait.
        var isLast = false
        var pixels = InlineArray<307_200, UInt8>(repeating: 0)
    }

    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        let frames = try LatestValue<Frame>(named: "example-frames", initial: Frame())
        switch (CommandLine.arguments.dropFirst().first, CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) }) {
        case ("record", let count?): try record(count, to: frames)
        case ("watch", nil): try watch(frames)
        default: print("usage: Frames record COUNT | watch")
        }
    }

    static func record(_ count: Int, to frames: LatestValue<Frame>) throws {
        for number in 1...max(1, count) {
            // What stands here is the shared memory: a camera's driver could write to it.
            try frames.update { frame in
                frame.number = UInt64(number)
                frame.isLast = number == count
                for pixel in 0..<width * height { frame.pixels[pixel] = UInt8(truncatingIfNeeded: number) }
            }
            sleepThread(for: .milliseconds(5))
        }
    }

    static func watch(_ frames: LatestValue<Frame>) throws {
        // Too large for the stack of a thread, twice over.
        let frame = UnsafeMutablePointer<Frame>.allocate(capacity: 1)
        defer { unsafe frame.deallocate() }
        var (seen, last, torn) = (0, try frames.sequence, 0)
        _ = try FileDescriptor.standardOutput.writeAll("watching\n".utf8)
        repeat {
            // If nothing comes, its program has ended or was killed; another may go on, so this one would only have to try again.
            _ = try frames.wait(after: last, until: .after(.seconds(10)))
            last = try unsafe frames.load(into: frame)
            seen += 1
            let first = unsafe frame.pointee.pixels[0]
            for pixel in 0..<width * height where unsafe frame.pointee.pixels[pixel] != first {
                torn += 1
                break
            }
        } while unsafe !frame.pointee.isLast
        print("saw \(seen) frames, the last is number \(unsafe frame.pointee.number); torn: \(torn)")
    }
}
