// A plot of lines as an SVG file: panels side by side, each with its own lines, on axes that all share.
//
// No script, no font that is not everywhere, colours that differ in lightness too; every line is also told apart by its
// marks.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace xenrig::cli {

struct PlotLine {
    std::string name;
    /// Ascending in x; y above 0, which is drawn to a logarithmic scale.
    std::vector<std::pair<double, double>> points;
};

struct PlotPanel {
    std::string title;
    std::vector<PlotLine> lines;
};

struct Plot {
    std::string title, subtitle;
    std::string x_label, y_label;
    std::vector<PlotPanel> panels;
};

std::string svg(const Plot& plot);

}  // namespace xenrig::cli
