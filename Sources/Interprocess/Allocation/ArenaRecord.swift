import CInterprocess
import InterprocessSystem

/// The name of an object in an arena.
struct ArenaName: Sendable {
    let text: String
    let bytes: [UInt8]

    static let maximumLength = Int(IPC_ARENA_NAME)

    init(_ text: String) throws(ArenaError) {
        bytes = Array(text.utf8)
        self.text = text
        guard Self.isName(bytes) else { throw .invalidName(text) }
    }

    static func isName(_ bytes: [UInt8]) -> Bool { !bytes.isEmpty && bytes.count <= maximumLength && !bytes.contains(0) }

    var bucket: Int { Self.bucket(bytes) }
    static func bucket(_ bytes: [UInt8]) -> Int { Int(fnv1a(bytes) % UInt64(ArenaUnit.buckets)) }
}

/// What stands in a record, read as a whole.
struct ArenaObjectDescription: Equatable {
    var stamp: UInt64 = 0
    var name: [UInt8] = []
    var typeHash: UInt64
    var stride: UInt64
    var count: UInt64
    var type: [UInt8]
    /// The block of the values.
    var object: UInt64 = 0

    init(_ element: ElementDescription, count: Int) {
        typeHash = element.hash
        stride = UInt64(element.size)
        self.count = UInt64(count)
        type = Array(element.identifier.utf8.prefix(Int(IPC_ARENA_TYPE)))
    }

    init(stamp: UInt64, name: [UInt8], typeHash: UInt64, stride: UInt64, count: UInt64, type: [UInt8], object: UInt64) {
        (self.stamp, self.name, self.typeHash, self.stride) = (stamp, name, typeHash, stride)
        (self.count, self.type, self.object) = (count, type, object)
    }

    /// Nil if it is more than can be.
    var byteCount: Int? {
        let (bytes, overflow) = stride.multipliedReportingOverflow(by: count)
        return overflow ? nil : Int(exactly: bytes)
    }

    /// Whether values of the type of `other` stand there. However many.
    func isSameType(as other: ArenaObjectDescription) -> Bool { typeHash == other.typeHash && stride == other.stride }

    var typeName: String { unsafe type.withUnsafeBytes { unsafe sharedText($0) } }
    /// For messages.
    var summary: String { "\(count == 1 ? "" : "\(count) × ")\(typeName) (\(stride) bytes)" }
}

/// A record of a named object: a block of the arena that stays as long as that does, and is used for one name after the other.
///
/// **Layout** "arena object record".
///
/// **States**
///
/// | object | claim | stamp | meaning |
/// |---|---|---|---|
/// | a block | any | even | there is an object of the name: a claim is about to be given back |
/// | none | of a living peer | even | that peer constructs the object |
/// | none | of a living peer, with the lock | odd | that peer writes name and type |
/// | none | nobody's, or of a dead peer | any | unused: it can be claimed for any name |
///
/// Name and type change only in the lock, with the claim, and while there is no object. The claim is taken in the lock only; whoever has it makes `object` name a block. Whoever destroys takes that block
/// away, in the lock. So in the lock, who finds an object finds it with this name and type.
///
/// **Memory order** `SYNC arena.name`: the even stamp is stored with release after name and type ⇄ read before and after them by who looks without the lock.
@safe
struct ArenaRecord: @unchecked Sendable {
    static let size = MemoryLayout<ipc_arena_object>.size

    let base: UnsafeMutableRawPointer
    /// Of the block.
    let offset: UInt64

    /// At a block that has the size.
    init(at base: UnsafeMutableRawPointer, _ offset: UInt64) {
        unsafe self.base = base
        self.offset = offset
    }

    private static let (nextPlace, objectPlace, namePlace, typePlace) = (0, 8, 64, 256)

    var nextOffset: UInt64 { offset + UInt64(Self.nextPlace) }
    var objectOffset: UInt64 { offset + UInt64(Self.objectPlace) }
    var next: SharedUInt64 { unsafe SharedUInt64(at: base + Self.nextPlace) }
    var object: SharedUInt64 { unsafe SharedUInt64(at: base + Self.objectPlace) }
    var stamp: SharedUInt64 { unsafe SharedUInt64(at: base + 16) }
    var claim: SharedUInt32 { unsafe SharedUInt32(at: base + 24) }
    var changes: WakeWord { unsafe WakeWord(word: SharedUInt32(at: base + 28)) }
    private var typeHash: SharedUInt64 { unsafe SharedUInt64(at: base + 32) }
    private var stride: SharedUInt64 { unsafe SharedUInt64(at: base + 40) }
    private var count: SharedUInt64 { unsafe SharedUInt64(at: base + 48) }
    private var nameLength: SharedUInt32 { unsafe SharedUInt32(at: base + 56) }
    private var typeLength: SharedUInt32 { unsafe SharedUInt32(at: base + 60) }

    /// Before anybody else can see it: nobody's name, claimed by `claim`.
    func initialize(claim mine: UInt32) {
        for place in Swift.stride(from: 0, to: Self.size, by: 8) { unsafe SharedUInt64(at: base + place).storeRelaxed(0) }
        claim.storeRelaxed(mine)
    }

    /// In the lock, with the claim, while there is no object.
    func describe(_ name: ArenaName, _ description: ArenaObjectDescription) {
        // Odd, also if who wrote here before has died in it.
        let odd = stamp.loadRelaxed() | 1
        stamp.storeRelaxed(odd)
        // Who sees anything of what follows sees the odd stamp.
        fullFence()
        nameLength.storeRelaxed(UInt32(name.bytes.count))
        store(name.bytes, at: Self.namePlace)
        typeHash.storeRelaxed(description.typeHash)
        stride.storeRelaxed(description.stride)
        count.storeRelaxed(description.count)
        typeLength.storeRelaxed(UInt32(description.type.count))
        store(description.type, at: Self.typePlace)
        // SYNC arena.name
        stamp.storeRelease(odd &+ 1)
    }

    /// The even stamp if the record has this name; nil if not, or if it is being written. Without the lock a look that may be as old as the call.
    func stamp(ifNamed name: ArenaName) -> UInt64? {
        // SYNC arena.name
        let seen = stamp.loadAcquire()
        guard seen & 1 == 0, seen != 0, nameLength.loadRelaxed() == UInt32(name.bytes.count) else { return nil }
        guard load(name.bytes.count, at: Self.namePlace) == name.bytes else { return nil }
        fullFence()
        return stamp.loadRelaxed() == seen ? seen : nil
    }

    /// Name and type, with what `object` names; nil while they are being written or if there are none. `load` reads the link.
    func description(_ load: () throws(ArenaError) -> UInt64) throws(ArenaError) -> ArenaObjectDescription? {
        for _ in 0..<100 {
            // SYNC arena.name
            let seen = stamp.loadAcquire()
            guard seen & 1 == 0, seen != 0 else { return nil }
            let object = try load()
            let found = ArenaObjectDescription(
                stamp: seen, name: self.load(Int(nameLength.loadRelaxed()), at: Self.namePlace), typeHash: typeHash.loadRelaxed(),
                stride: stride.loadRelaxed(), count: count.loadRelaxed(),
                type: self.load(Int(typeLength.loadRelaxed()), at: Self.typePlace),
                object: object)
            fullFence()
            if stamp.loadRelaxed() == seen { return found }
        }
        // Each time another has destroyed and constructed meanwhile: hardly anybody can.
        throw .damaged("stamp")
    }

    /// Bytes that may have been written by anybody: no more than the field has.
    private func load(_ count: Int, at place: Int) -> [UInt8] {
        let most = place == Self.namePlace ? ArenaName.maximumLength : Int(IPC_ARENA_TYPE)
        let count = min(count, most)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for index in 0..<(count + 7) / 8 {
            let word = unsafe SharedUInt64(at: base + place + index * 8).loadRelaxed()
            for byte in 0..<min(8, count - index * 8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(byte * 8))) }
        }
        return bytes
    }

    private func store(_ bytes: [UInt8], at place: Int) {
        for index in 0..<(bytes.count + 7) / 8 {
            var word: UInt64 = 0
            for byte in 0..<min(8, bytes.count - index * 8) { word |= UInt64(bytes[index * 8 + byte]) << UInt64(byte * 8) }
            unsafe SharedUInt64(at: base + place + index * 8).storeRelaxed(word)
        }
    }
}
