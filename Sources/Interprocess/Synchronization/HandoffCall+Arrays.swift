import CInterprocess

/// Where an array lies in the data of a handoff: a place and a count, to be passed in the arguments of a call. The elements stay where they are.
///
/// Made by ``Handoff/allocate(repeating:count:)``, and turned into elements by ``Handoff/span(of:)`` and ``Handoff/mutableSpan(of:)`` on either side, which check
/// it: one that comes from the other side may be anything.
///
/// **Layout** "handoff slice" in Documentation/Layout.
@frozen
public struct SharedSlice<Element: Shareable>: Shareable {
    @usableFromInline let start: UInt64
    @usableFromInline let length: UInt64
    @usableFromInline let elementSize: UInt32
    @usableFromInline let elementCode: UInt32

    @usableFromInline
    init(offset: Int, count: Int) {
        start = UInt64(offset)
        length = UInt64(count)
        elementSize = UInt32(MemoryLayout<Element>.stride)
        elementCode = Self.code
    }

    /// An array without elements.
    public init() { self.init(offset: 0, count: 0) }

    /// Bytes from the start of the data.
    public var offset: UInt64 { start }

    /// Elements; what another side has sent may say any number until a span has been made of it.
    public var count: Int { Int(clamping: length) }

    /// Some of its elements.
    ///
    /// - Throws: ``HandoffCallError`` `mismatch` if there are not so many.
    public func extracting(_ bounds: Range<Int>) throws(HandoffCallError) -> SharedSlice {
        guard bounds.lowerBound >= 0, bounds.upperBound <= count else { throw .mismatch(.count) }
        let (distance, isTooFar) = bounds.lowerBound.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        let (offset, isBeyond) = start.addingReportingOverflow(UInt64(distance))
        guard !isTooFar, !isBeyond, let offset = Int(exactly: offset) else { throw .mismatch(.offset) }
        return SharedSlice(offset: offset, count: bounds.count)
    }

    /// The letter of a number in Python's struct module, 0 for everything else.
    @inlinable
    static var code: UInt32 {
        if Element.self == UInt8.self { return 0x42 }  // B
        if Element.self == Int64.self || Element.self == Int.self { return 0x71 }  // q
        if Element.self == Double.self { return 0x64 }  // d
        if Element.self == Int32.self { return 0x69 }  // i
        if Element.self == Float.self { return 0x66 }  // f
        if Element.self == UInt64.self || Element.self == UInt.self { return 0x51 }  // Q
        if Element.self == UInt32.self { return 0x49 }  // I
        if Element.self == Int16.self { return 0x68 }  // h
        if Element.self == UInt16.self { return 0x48 }  // H
        if Element.self == Int8.self { return 0x62 }  // b
        if Element.self == Bool.self { return 0x3f }  // ?
        return 0
    }
}

/// How far one side had allocated; see ``Handoff/release(to:)``.
public struct HandoffMark: Sendable {
    let used: Int
}

extension Handoff {
    /// Bytes for arrays, of both sides together.
    public var dataSize: Int { callWords.dataSize }

    /// Allocates an array of `count` elements in the data, each of them `element`.
    ///
    /// The parent's arrays are stacked from the data's start, the child's from its end. They are released with ``release(to:)``; those that a method
    /// allocates, when it is answered; all, when this side joins anew. O(count), no system call.
    ///
    /// - Parameter count: not negative, which is a precondition.
    /// - Throws: ``HandoffCallError``: `noRoom`; `ended`, `notYourTurn`, `unpaired`; `detached`; `damaged`.
    public mutating func allocate<Element: Shareable>(repeating element: Element, count: Int) throws(HandoffCallError) -> SharedSlice<
        Element
    > {
        precondition(count >= 0, "the count of an array is not negative")
        if SharedSlice<Element>.code == 0 { _ = ElementDescription(of: Element.self) }
        let offset = try reserve(count, MemoryLayout<Element>.stride, MemoryLayout<Element>.alignment)
        unsafe (callWords.data + offset).initializeMemory(as: Element.self, repeating: element, count: count)
        return SharedSlice(offset: offset, count: count)
    }

    /// Allocates an array and copies `elements` into it; as ``allocate(repeating:count:)``.
    public mutating func allocate<Element: Shareable>(copying elements: Span<Element>) throws(HandoffCallError) -> SharedSlice<Element> {
        if SharedSlice<Element>.code == 0 { _ = ElementDescription(of: Element.self) }
        let (count, stride) = (elements.count, MemoryLayout<Element>.stride)
        let offset = try reserve(count, stride, MemoryLayout<Element>.alignment)
        let place = unsafe callWords.data + offset
        unsafe elements.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe place.copyMemory(from: start, byteCount: source.count) }
        }
        return SharedSlice(offset: offset, count: count)
    }

    /// How far this side has allocated by now.
    public var mark: HandoffMark { HandoffMark(used: calls.used) }

    /// Releases the arrays that this side has allocated since `mark`. While the other side has the turn nothing is released. O(1).
    ///
    /// Precondition: inside of a method, the mark was not made before its call came.
    public mutating func release(to mark: HandoffMark) {
        guard value != nil, mark.used < calls.used else { return }
        precondition(mark.used >= calls.floor, "a method releases its own arrays only, not those that were there when it was called")
        use(mark.used)
    }

    /// The elements of `slice`, in place, for reading. While the span is in use the compiler lets this side make no call. O(1).
    ///
    /// - Throws: ``HandoffCallError``: `mismatch` if `slice` is not an array of these elements inside of the data; `notYourTurn` if the other side has
    ///   the turn, `unpaired`; `detached`.
    @inlinable
    @_lifetime(borrow self)
    public func span<Element: Shareable>(of slice: SharedSlice<Element>) throws(HandoffCallError) -> Span<Element> {
        let start = unsafe try elements(of: slice)
        return unsafe _overrideLifetime(Span(_unsafeStart: start, count: slice.count), borrowing: self)
    }

    /// The elements of `slice`, in place, for reading and writing: one array at a time; see ``withMutableSpans(of:_:_:)``. Else as ``span(of:)``.
    @inlinable
    @_lifetime(&self)
    public mutating func mutableSpan<Element: Shareable>(of slice: SharedSlice<Element>) throws(HandoffCallError) -> MutableSpan<Element> {
        let start = unsafe try elements(of: slice)
        return unsafe _overrideLifetime(MutableSpan(_unsafeStart: start, count: slice.count), mutating: &self)
    }

    /// Calls `body` with the elements of two arrays, which must not overlap. Else as ``mutableSpan(of:)``.
    ///
    /// - Throws: as ``span(of:)``, `mismatch` also if they overlap; and what `body` throws.
    @inlinable
    public mutating func withMutableSpans<First: Shareable, Second: Shareable, R>(
        of first: SharedSlice<First>, _ second: SharedSlice<Second>,
        _ body: (inout MutableSpan<First>, inout MutableSpan<Second>) throws -> R
    ) throws -> R {
        let (one, other) = unsafe (try elements(of: first), try elements(of: second))
        let ends = unsafe (UnsafeRawPointer(one + first.count), UnsafeRawPointer(other + second.count))
        guard unsafe ends.0 <= UnsafeRawPointer(other) || ends.1 <= UnsafeRawPointer(one) else { throw HandoffCallError.mismatch(.offset) }
        var firstSpan = unsafe MutableSpan(_unsafeStart: one, count: first.count)
        var secondSpan = unsafe MutableSpan(_unsafeStart: other, count: second.count)
        return try body(&firstSpan, &secondSpan)
    }

    /// Where the elements of a slice are, which is checked.
    @inlinable
    @unsafe
    func elements<Element: Shareable>(of slice: SharedSlice<Element>) throws(HandoffCallError) -> UnsafeMutablePointer<Element> {
        guard slice.elementCode == SharedSlice<Element>.code, slice.elementSize == UInt32(MemoryLayout<Element>.stride) else {
            throw .mismatch(.element)
        }
        return unsafe try bytes(slice.start, slice.length, MemoryLayout<Element>.stride, MemoryLayout<Element>.alignment)
            .assumingMemoryBound(to: Element.self)
    }

    @usableFromInline
    @unsafe
    func bytes(_ offset: UInt64, _ count: UInt64, _ stride: Int, _ alignment: Int) throws(HandoffCallError) -> UnsafeMutableRawPointer {
        if side.isDetached { throw .detached }
        // After the end nobody else runs: what was written can be read.
        guard value != nil || end != nil else { throw noTurn }
        guard offset <= UInt64(dataSize), offset % UInt64(alignment) == 0 else { throw .mismatch(.offset) }
        guard count <= (UInt64(dataSize) - offset) / UInt64(stride) else { throw .mismatch(.count) }
        return unsafe callWords.data + Int(offset)
    }
}

// MARK: The stacks

extension Handoff {
    /// Arrays begin at multiples of this, for vector instructions.
    private static let leastAlignment = 16

    /// Takes the next bytes from this side's stack. Returns where they begin.
    private mutating func reserve(_ count: Int, _ stride: Int, _ alignment: Int) throws(HandoffCallError) -> Int {
        if side.isDetached { throw .detached }
        guard value != nil else { throw noTurn }
        let others = calls.hasHeard ? used.other.loadRelaxed() : 0
        guard others <= UInt64(dataSize - calls.used) else { throw .damaged("used") }
        let free = dataSize - calls.used - Int(others)
        let mask = max(alignment, Self.leastAlignment) - 1
        let (size, isTooMuch) = count.multipliedReportingOverflow(by: stride)
        guard !isTooMuch, size <= free else { throw .noRoom(needed: isTooMuch ? .max : size, free: free) }
        let start = role == .parent ? (calls.used + mask) & ~mask : (dataSize - calls.used - size) & ~mask
        let taken = role == .parent ? start + size : dataSize - start
        guard taken - calls.used <= free else { throw .noRoom(needed: size, free: free) }
        use(taken)
        return start
    }

    /// This side's arrays have so many bytes from now on.
    mutating func use(_ bytes: Int) {
        guard bytes != calls.used else { return }
        calls.used = bytes
        used.mine.storeRelaxed(UInt64(bytes))
    }

    /// A new pair begins with no arrays. By who has the turn.
    func forgetArrays() { used.mine.storeRelaxed(0) }
}
