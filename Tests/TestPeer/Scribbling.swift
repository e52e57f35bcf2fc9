import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport

/// Writes random words over what is shared of the segment at `path`, but for the first 64 bytes of its object, until the process is killed. Says "ready" first.
func scribble(over path: String, seed: String) throws -> Never {
    guard let seed = UInt64(seed) else { throw BadArguments() }
    var random = SeededRandom(seed: seed)
    let file = try FileDescriptor.open(FilePath(path), .readWrite)
    let size = Int(try file.seek(offset: 0, from: .end))
    guard let base = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0), unsafe base != MAP_FAILED else {
        throw BadArguments()
    }
    let object = Int(unsafe base.load(fromByteOffset: 64, as: UInt64.self))
    say("ready")
    while true {
        let bits = random.next()
        // The shape was read by all when they opened it; most of what is shared stands at the front.
        let words = min(size - object - 64, bits & 1 == 0 ? 2048 : .max) / 8
        let place = object + 64 + Int.random(in: 0..<words, using: &random) * 8
        let value: UInt64 =
            switch Int.random(in: 0..<6, using: &random) {
            case 0: 0
            case 1: .max - bits & 3
            case 2: bits & 0xff
            // As an entry, or a state.
            case 3: (bits & 0xff) << 20 | bits >> 59
            case 4: (bits & 3) << 32 | (bits >> 40 & 7) << 36 | 1 << 10 | bits >> 60
            default: bits
            }
        unsafe SharedUInt64(at: base + place).storeRelaxed(value)
        if bits & 0xf0 == 0 { sleepThread(for: .microseconds(50)) }
    }
}
