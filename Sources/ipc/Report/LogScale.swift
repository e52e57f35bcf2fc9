import RealModule

/// Numbers over several powers of ten, as shares of a length.
struct LogScale {
    private let first: Double
    private let last: Double

    /// From the power of ten (or twice or five times one) below the smallest number to that above the largest.
    init?(_ numbers: [Double]) {
        let numbers = numbers.filter { $0 > 0 && $0.isFinite }
        guard let least = numbers.min(), let most = numbers.max() else { return nil }
        let steps = Self.steps(from: least, to: most)
        guard let below = steps.last(where: { $0 <= least }), let above = steps.first(where: { $0 >= most && $0 > below }) else {
            return nil
        }
        (first, last) = (below, above)
    }

    /// Where a number stands: 0 at the scale's beginning, 1 at its end.
    func share(_ number: Double) -> Double {
        guard number > 0 else { return 0 }
        return min(1, max(0, (Double.log10(number) - Double.log10(first)) / (Double.log10(last) - Double.log10(first))))
    }

    /// The numbers to be marked: powers of ten, and what is between where there are few.
    var ticks: [Double] {
        let all = Self.steps(from: first, to: last).filter { $0 >= first && $0 <= last }
        let powers = all.filter { share in (Double.log10(share) - Double.log10(share).rounded()).magnitude < 1e-9 }
        return powers.count >= 3 ? powers : all
    }

    /// 1, 2 and 5 times each power of ten, and one more at each end.
    private static func steps(from least: Double, to most: Double) -> [Double] {
        let exponents = Int(Double.log10(least).rounded(.down)) - 1...Int(Double.log10(most).rounded(.up)) + 1
        return exponents.flatMap { exponent in [1, 2, 5].map { $0 * Double.exp10(Double(exponent)) } }
    }
}
