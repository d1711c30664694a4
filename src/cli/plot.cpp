#include "plot.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace xenrig::cli {

namespace {

constexpr double kWidth = 300, kHeight = 240, kLeft = 70, kTop = 90, kGapX = 40, kGapY = 80, kBottom = 90;
constexpr std::size_t kAcross = 3;
constexpr std::array<const char*, 4> kColours{"#c0392b", "#2471a3", "#117a43", "#7d3c98"};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '&')
            out += "&amp;";
        else
            out += c;
    }
    return out;
}

struct Range {
    double from = 1e300, to = -1e300;
    void take(double v) {
        from = std::min(from, v);
        to = std::max(to, v);
    }
};

struct Axes {
    Range x, y;  ///< y in powers of ten

    double at_x(double left, double v) const {
        return left + (x.to == x.from ? 0.5 : (v - x.from) / (x.to - x.from)) * kWidth;
    }
    double at_y(double top, double v) const {
        return top + kHeight - (std::log10(v) - y.from) / (y.to - y.from) * kHeight;
    }
};

Axes axes_of(const Plot& plot) {
    Axes axes;
    for (const PlotPanel& panel : plot.panels)
        for (const PlotLine& line : panel.lines)
            for (const auto& [x, y] : line.points) {
                axes.x.take(x);
                axes.y.take(std::log10(y));
            }
    axes.y.from = std::floor(axes.y.from);
    axes.y.to = std::max(std::ceil(axes.y.to), axes.y.from + 1);
    return axes;
}

std::string text(double x, double y, const std::string& words, const std::string& more = "") {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more, escaped(words));
}

std::string straight(double x1, double y1, double x2, double y2, const char* colour) {
    return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2,
                       y2, colour);
}

/// A circle, a square, a triangle, a diamond.
std::string mark(std::size_t kind, double x, double y) {
    const char* colour = kColours[kind % kColours.size()];
    constexpr double r = 4;
    switch (kind % kColours.size()) {
        case 0:
            return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>\n", x, y, r, colour);
        case 1:
            return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", x - r,
                               y - r, 2 * r, 2 * r, colour);
        case 2:
            return fmt::format("<path d=\"M{:.1f} {:.1f} l{} {} l{} 0 z\" fill=\"{}\"/>\n", x, y - r, r, 2 * r, -2 * r,
                               colour);
        default:
            return fmt::format("<path d=\"M{:.1f} {:.1f} l{} {} l{} {} l{} {} z\" fill=\"{}\"/>\n", x, y - r, r, r, -r,
                               r, -r, -r, colour);
    }
}

std::string grid(const Axes& axes, const PlotPanel& panel, double left, double top, bool first) {
    std::string out = text(left, top - 10, panel.title, "font-weight=\"bold\"");
    const int last = static_cast<int>(axes.y.to);
    for (int power = static_cast<int>(axes.y.from); power <= last; ++power) {
        const double value = std::pow(10, power), y = axes.at_y(top, value);
        out += straight(left, y, left + kWidth, y, "#ddd");
        if (first) out += text(left - 8, y + 4, fmt::format("{:g}", value), "text-anchor=\"end\"");
    }
    if (!panel.lines.empty())
        for (const auto& [value, unused] : panel.lines.front().points) {
            const double x = axes.at_x(left, value);
            out += straight(x, top + kHeight, x, top + kHeight + 4, "#555");
            out += text(x, top + kHeight + 18, fmt::format("{:g}", value), "text-anchor=\"middle\"");
        }
    out += straight(left, top, left, top + kHeight, "#555");
    return out + straight(left, top + kHeight, left + kWidth, top + kHeight, "#555");
}

std::string curve(const Axes& axes, const PlotLine& line, std::size_t kind, double left, double top) {
    std::string points, marks;
    for (const auto& [x, y] : line.points) {
        points += fmt::format("{:.1f},{:.1f} ", axes.at_x(left, x), axes.at_y(top, y));
        marks += mark(kind, axes.at_x(left, x), axes.at_y(top, y));
    }
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", points,
                       kColours[kind % kColours.size()]) +
           marks;
}

}  // namespace

std::string svg(const Plot& plot) {
    const std::size_t across = std::clamp<std::size_t>(plot.panels.size(), 1, kAcross);
    const std::size_t down = (plot.panels.size() + across - 1) / across;
    // A bold letter of the title is about ten units wide, one of the subtitle six.
    const double words = static_cast<double>(std::max(10 * plot.title.size(), 6 * plot.subtitle.size()));
    const double width = kLeft + std::max(static_cast<double>(across) * (kWidth + kGapX), words + kGapX);
    const double height = kTop + static_cast<double>(down) * (kHeight + kGapY) - kGapY + kBottom;
    const Axes axes = axes_of(plot);

    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
        "{1:.0f}\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        width, height);
    out += text(kLeft, 28, plot.title, "font-size=\"18\" font-weight=\"bold\"");
    out += text(kLeft, 48, plot.subtitle, "fill=\"#555\"");
    for (std::size_t i = 0; i < plot.panels.size(); ++i) {
        const std::size_t column = i % across, row = i / across;
        const double left = kLeft + static_cast<double>(column) * (kWidth + kGapX);
        const double top = kTop + static_cast<double>(row) * (kHeight + kGapY);
        out += grid(axes, plot.panels[i], left, top, column == 0);
        for (std::size_t k = 0; k < plot.panels[i].lines.size(); ++k)
            out += curve(axes, plot.panels[i].lines[k], k, left, top);
    }
    const double middle = (height - kBottom + kTop) / 2;
    out += text(18, middle, plot.y_label,
                fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 18 {:.1f})\"", middle));
    out += text((width + kLeft) / 2, height - 48, plot.x_label, "text-anchor=\"middle\"");
    double x = kLeft;
    if (!plot.panels.empty())
        for (std::size_t k = 0; k < plot.panels.front().lines.size(); ++k) {
            const std::string& name = plot.panels.front().lines[k].name;
            out += mark(k, x + 6, height - 20);
            out += text(x + 18, height - 16, name);
            x += 40 + 8 * static_cast<double>(name.size());
        }
    return out + "</svg>\n";
}

}  // namespace xenrig::cli
